"""How many calls a stream may have in flight, as the service's own bound moves under it."""

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from leaky.mesh.v1.mux_service_pb2 import Call, Frame
from mesh.rpc.grpc_channel import GrpcChannel
from mesh.rpc.interceptors.admission import AdmissionInterceptor
from mesh.rpc.mux.window import MOST, Window
from mesh.settings import Live, MeshSettings
from tests.mesh.rpc.mux.peer import PATIENCE, Peer
from tests.mesh.rpc.serving import GET, STATUS, Served, multiplexing, quotas, served

pytestmark = pytest.mark.anyio


@pytest.fixture
def live(tmp_path: Path) -> Live[MeshSettings]:
    return Live.read(MeshSettings, {"LEAKY_DATA": str(tmp_path)})


def admit(live: Live[MeshSettings], most: int) -> None:
    assert live.apply({"mesh.max-in-flight": str(most)})


class Held:
    """A handler whose calls end one by one, each when it is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self._more = asyncio.Condition()
        self._leave = asyncio.Semaphore(0)

    async def __call__(self, _request: Any, _call: Any) -> Any:
        async with self._more:
            self.begun += 1
            self._more.notify_all()
        await self._leave.acquire()
        return GET.response()

    async def have_begun(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE), self._more:
            await self._more.wait_for(lambda: self.begun >= count)

    def let_go(self, count: int = 1) -> None:
        for _ in range(count):
            self._leave.release()


def behind(live: Live[MeshSettings], held: Held) -> AbstractAsyncContextManager[Served]:
    """The handler in a service that admits what its stream says."""
    return served(
        quotas(get_quota=held),
        interceptors=[AdmissionInterceptor(live)],
        multiplexed=True,
        window=Window(live),
    )


@pytest.mark.parametrize(("admitted", "offered"), [(1, 1), (512, 512), (1_000_000, MOST)])
async def test_a_stream_is_offered_what_the_service_admits_up_to_its_own_bound(
    live: Live[MeshSettings], admitted: int, offered: int
) -> None:
    admit(live, admitted)
    async with served(quotas(), window=Window(live)) as up:
        peer = Peer(up.port)
        assert await peer.receive() == Frame(window=offered)
        await peer.close()


async def test_every_open_stream_is_told_of_a_change_and_of_nothing_else(
    live: Live[MeshSettings],
) -> None:
    async with served(quotas(), window=Window(live)) as up:
        peers = [Peer(up.port), Peer(up.port)]
        gone = Peer(up.port)
        for peer in (*peers, gone):
            assert await peer.receive() == Frame(window=512)
        await gone.close()
        assert live.apply({"mesh.max-requests": "7"})
        for size in (3, 700):
            admit(live, size)
            for peer in peers:
                assert await peer.receive() == Frame(window=size)
        # For both of these it is what it was: the next thing said is a result.
        admit(live, MOST)
        assert await peers[0].receive() == Frame(window=MOST)
        admit(live, MOST + 1)
        await peers[0].send(Frame(calls=[Call(id=1, method=STATUS.path)]))
        assert [result.id for result in (await peers[0].receive()).results] == [1]
        for peer in peers:
            await peer.close()


async def test_calls_that_were_on_their_way_as_it_shrank_are_served(
    live: Live[MeshSettings],
) -> None:
    async with served(quotas(), window=Window(live)) as up:
        peer = Peer(up.port)
        await peer.receive()
        admit(live, 1)
        await peer.send(Frame(calls=[Call(id=n, method=STATUS.path) for n in range(MOST)]))
        answered: set[int] = set()
        while len(answered) < MOST:
            answered |= {result.id for result in (await peer.receive()).results}
        await peer.close()


async def test_shrunk_below_what_is_in_flight_it_lets_that_end_and_nothing_new_begin(
    live: Live[MeshSettings],
) -> None:
    held = Held()
    admit(live, 4)
    async with behind(live, held) as up:

        def call() -> "asyncio.Future[Any]":
            work = up.channel.unary(GET, GET.request(), timeout=PATIENCE)
            return asyncio.ensure_future(work)

        running = {call() for _ in range(4)}
        await held.have_begun(4)
        admit(live, 2)
        held.let_go()
        # Its result came after the window.
        ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        new = call()
        for _ in range(3):
            # Begun while two are there it would be refused by the service itself.
            assert not new.done()
            held.let_go()
            now_ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            ended |= now_ended
        await held.have_begun(5)
        held.let_go()
        assert await asyncio.gather(*ended, new) == [GET.response()] * 5


async def test_grown_it_lets_those_who_wait_begin_at_once(live: Live[MeshSettings]) -> None:
    held = Held()
    admit(live, 1)
    async with behind(live, held) as up:
        calls = [
            asyncio.ensure_future(up.channel.unary(GET, GET.request(), timeout=PATIENCE))
            for _ in range(5)
        ]
        await held.have_begun(1)
        assert held.begun == 1
        admit(live, 4)
        await held.have_begun(4)
        assert held.begun == 4
        held.let_go(5)
        assert await asyncio.gather(*calls) == [GET.response()] * 5


async def test_a_call_goes_where_there_is_room_before_it_waits_where_there_is_none(
    live: Live[MeshSettings],
) -> None:
    narrow, wide = Held(), Held()
    admit(live, 1)
    async with (
        served(quotas(get_quota=narrow), window=Window(live)) as one,
        served(quotas(get_quota=wide)) as two,
    ):
        channel = await multiplexing(GrpcChannel(f"127.0.0.1:{one.port}"), one.port, two.port)
        calls = [
            asyncio.ensure_future(channel.unary(GET, GET.request(), timeout=PATIENCE))
            for _ in range(5)
        ]
        await narrow.have_begun(1)
        await wide.have_begun(4)
        narrow.let_go()
        wide.let_go(4)
        assert await asyncio.gather(*calls) == [GET.response()] * 5
        await channel.close()
