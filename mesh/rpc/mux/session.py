"""The caller's side of one stream of calls to one instance."""

import asyncio
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from leaky.common.v1.reason_pb2 import REASON_DEADLINE_EXCEEDED, REASON_INTERNAL
from leaky.mesh.v1.mux_service_pb2 import Credential, Frame, Result
from mesh.errors import AppError
from mesh.rpc.channel import CALLED, CALLING
from mesh.rpc.deadlines import SLOTS_PER_SECOND
from mesh.rpc.method import Method, Req, Res
from mesh.rpc.mux.credentials import AUTHORIZATION, MOST_BYTES, Numbers
from mesh.rpc.mux.lost import LostError, TooLongError
from mesh.rpc.mux.metrics import CLIENT
from mesh.rpc.mux.outbox import MOST_PAYLOAD, Outbox
from mesh.rpc.mux.places import Places
from mesh.rpc.status import from_status
from mesh.timing_wheel import Slot, TimingWheel

# What a call takes in a frame beside its payload, about.
_OVERHEAD = 256


class Session:
    """One open stream. Calls begun in one turn of the loop travel in one frame.

    Where the peer waits for this process's core, as `shares_core` tells, it is those of two
    turns: each change from one to the other makes both slower than what they do meanwhile.
    `leaving` is set when no more calls may be begun on it: the peer drains, or
    the stream has ended.
    """

    def __init__(
        self, stream: Any, window: int, shares_core: Callable[[], bool] = lambda: False
    ) -> None:
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._last_id = 0
        self._calls: dict[int, asyncio.Future[Result]] = {}
        self._places = Places(window)
        self._out = Outbox(CLIENT, shares_core)
        self._numbers = Numbers(self._tell)
        self._wheel = TimingWheel(SLOTS_PER_SECOND)
        self._lost = False
        self._latest = -math.inf
        self.leaving = asyncio.Event()
        self._ended = asyncio.ensure_future(self._run())
        # Not by itself: it may be ended before it has begun, and while it ends.
        self._ended.add_done_callback(self._lose)

    @property
    def rank(self) -> int:
        """The lowest has the fewest calls, of those where one more may begin at once."""
        return self._places.rank

    async def unary(
        self,
        method: Method[Req, Res],
        request: Req,
        *,
        deadline: float,
        metadata: Mapping[str, str],
    ) -> Res:
        """The response or its AppError; LostError when the stream ends before.

        `deadline` is on the event loop's clock, and may be infinite. Raises
        TooLongError for what has to go another way.
        """
        if not self._places.take_nowait():
            await self._places.take(deadline)
        try:
            if self._lost:
                # In the turn in which it was given its place.
                raise LostError(sent=False)
            CALLING()
            id_, future = self._begin(method, request, deadline, metadata)
            due = self._due(deadline)
            due[future] = _late
            try:
                result = await future
            finally:
                due.pop(future, None)
                if self._calls.pop(id_, None) is not None:
                    self._cancel(id_)
            CALLED()
        finally:
            self._places.give_back()
        if result.HasField("status"):
            raise from_status(result.status)
        try:
            return method.response.FromString(result.payload)
        except DecodeError:
            raise AppError(REASON_INTERNAL, "internal error") from None

    def _begin(
        self,
        method: Method[Any, Any],
        request: Any,
        deadline: float,
        metadata: Mapping[str, str],
    ) -> "tuple[int, asyncio.Future[Result]]":
        loop = self._loop
        id_ = self._last_id = self._last_id + 1
        self._send(id_, method.path, request, deadline - loop.time(), metadata)
        future = self._calls[id_] = loop.create_future()
        return id_, future

    def _due(self, deadline: float) -> Slot:
        """Where those are noted that end at a deadline; an infinite one is none."""
        if deadline == math.inf:
            return {}
        self._latest = max(self._latest, deadline)
        return self._wheel.slot(deadline)

    def _cancel(self, id_: int) -> None:
        # Nobody waits any more; what is kept for a peer that does not read would only grow.
        if not self._ended.done() and not self._out.withdraw(id_):
            self._out.frame(0).cancelled.append(id_)

    def _send(
        self, id_: int, path: str, request: Any, left: float, metadata: Mapping[str, str]
    ) -> None:
        payload = request.SerializeToString()
        authorization = metadata.get(AUTHORIZATION, "")
        if len(payload) > MOST_PAYLOAD or len(authorization) > MOST_BYTES:
            raise TooLongError
        # Told first, so that it is in no later frame than the call.
        number = self._numbers.of(authorization)
        told: list[str] = []
        for pair in metadata.items():
            if pair[0] != AUTHORIZATION:
                told += pair
        self._out.frame(len(payload) + _OVERHEAD).calls.add(
            id=id_,
            method=path,
            payload=payload,
            credential=number,
            timeout_micros=max(1, int(left * 1e6)) if left < math.inf else 0,
            metadata=told,
        )

    def _tell(self, number: int, authorization: str) -> None:
        told = Credential(number=number, authorization=authorization)
        self._out.frame(len(authorization)).credentials.append(told)

    async def _run(self) -> None:
        writing = asyncio.ensure_future(self._out.run(self._stream.write))
        # Who cannot say anything any more hears nothing either.
        writing.add_done_callback(lambda _: self._stream.cancel())
        CLIENT.streams.inc()
        try:
            while (data := await self._stream.read()) is not grpc.aio.EOF:
                self._read(Frame.FromString(data))
        except (grpc.aio.BaseError, grpc.aio.AioRpcError, DecodeError, asyncio.CancelledError):
            # However it ends, its calls learn the same.
            self._stream.cancel()
        finally:
            CLIENT.streams.dec()
            # What is being written ends with the stream.
            self._out.close()
            await asyncio.gather(writing, return_exceptions=True)

    def _read(self, frame: Frame) -> None:
        for result in frame.results:
            future = self._calls.pop(result.id, None)
            if future is not None and not future.done():
                future.set_result(result)
        if frame.window:
            self._places.most = frame.window
            self._places.admit()
        if frame.go_away:
            self.leave()

    def leave(self) -> None:
        """Begins no more calls; those that wait for a place may be begun elsewhere."""
        self.leaving.set()
        self._places.close()

    def _lose(self, _ended: "asyncio.Task[None]") -> None:
        self._lost = True
        self.leave()
        unsent = {call.id for call in self._out.unsent()}
        calls, self._calls = self._calls, {}
        for id_, future in calls.items():
            if not future.done():
                future.set_exception(LostError(sent=id_ not in unsent))

    async def finish(self, seconds: float) -> None:
        """Ends it once its calls have their results, or their deadlines have passed.

        Those without one have so many seconds.
        """
        self.leave()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(max(self._loop.time() + seconds, self._latest)):
                await self._places.empty()
        self.end()
        await asyncio.wait({self._ended})

    def end(self) -> None:
        """Ends it now: the stream, whose read ends with it; see mesh.rpc.grpc_channel.read_of."""
        self._stream.cancel()


def _late(future: "asyncio.Future[Result]") -> None:
    if not future.done():
        future.set_exception(AppError(REASON_DEADLINE_EXCEEDED, "deadline exceeded"))
