"""A call and the end of its stream, whichever comes first."""

import asyncio
import math
from typing import Any

import grpc
import pytest

from leaky.common.v1.reason_pb2 import REASON_DEADLINE_EXCEEDED
from mesh.errors import AppError
from mesh.rpc.mux.lost import LostError
from mesh.rpc.mux.session import Session
from tests.mesh.rpc.serving import GET

pytestmark = pytest.mark.anyio
PATIENCE = 20.0


class Stream:
    """Takes all, and says nothing until it ends."""

    def __init__(self) -> None:
        self.end = asyncio.Event()

    async def read(self) -> Any:
        await self.end.wait()
        return grpc.aio.EOF

    async def write(self, data: bytes) -> None:
        pass

    def cancel(self) -> None:
        pass


# In one of these turns the stream is lost between a place given and its call begun.
@pytest.mark.parametrize("turns", range(8))
async def test_who_is_given_a_place_as_the_stream_ends_learns_of_it(turns: int) -> None:
    stream = Stream()
    session = Session(stream, window=1)

    def call() -> "asyncio.Task[Any]":
        work = session.unary(GET, GET.request(), deadline=math.inf, metadata={})
        return asyncio.ensure_future(work)

    first, waiting = call(), call()
    await asyncio.sleep(0)
    stream.end.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    first.cancel()
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(LostError) as caught:
            await waiting
        await asyncio.wait({first})
    assert not caught.value.sent


# In one of these turns it has begun to end by itself already, in the first not yet to read.
@pytest.mark.parametrize("turns", range(8))
async def test_however_a_session_ends_its_calls_learn_of_it(turns: int) -> None:
    stream = Stream()
    session = Session(stream, window=1)
    work = session.unary(GET, GET.request(), deadline=math.inf, metadata={})
    call = asyncio.ensure_future(work)
    stream.end.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    session.end()
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(LostError):
            await call
        await session.finish(PATIENCE)


async def test_a_stream_that_takes_no_more_is_at_its_end() -> None:
    class Broken(Stream):
        async def write(self, data: bytes) -> None:
            del data
            raise RuntimeError("no more memory")

        def cancel(self) -> None:
            self.end.set()

    session = Session(Broken(), window=1)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(LostError) as caught:
            await session.unary(GET, GET.request(), deadline=math.inf, metadata={})
        await session.leaving.wait()
    assert caught.value.sent


async def test_what_nobody_waits_for_is_not_kept_for_a_peer_that_does_not_read() -> None:
    class Stuck(Stream):
        async def write(self, data: bytes) -> None:
            del data
            await self.end.wait()

    stream = Stuck()
    session = Session(stream, window=1)
    now = asyncio.get_running_loop().time
    for _ in range(1_000):
        with pytest.raises(AppError) as late:
            await session.unary(GET, GET.request(), deadline=now(), metadata={})
        assert late.value.reason == REASON_DEADLINE_EXCEEDED
    assert list(session._out.unsent()) == []
    stream.end.set()
    await session.finish(PATIENCE)
