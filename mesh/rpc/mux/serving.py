"""The other side of a stream of calls: hands each to the dispatcher, as if it had come alone."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
import structlog
from google.protobuf.message import DecodeError

from leaky.common.v1.reason_pb2 import (
    REASON_INVALID_ARGUMENT,
    REASON_OVERLOADED,
    REASON_UNAVAILABLE,
    REASON_UNIMPLEMENTED,
)
from leaky.mesh.v1.mux_service_pb2 import DESCRIPTOR, Frame
from leaky.mesh.v1.mux_service_pb2 import Call as Sent
from mesh.errors import AppError
from mesh.rpc.call import Call
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.handling import answer, internal
from mesh.rpc.method import Method
from mesh.rpc.mux.credentials import AUTHORIZATION, MOST, MOST_BYTES
from mesh.rpc.mux.metrics import SERVER
from mesh.rpc.mux.outbox import Outbox
from mesh.rpc.mux.window import MOST as MOST_WINDOW
from mesh.rpc.mux.window import Window
from mesh.rpc.status import to_status

log = structlog.get_logger("mux")
SERVICE = DESCRIPTOR.services_by_name["MuxService"].full_name
OPEN = f"/{SERVICE}/Open"
# Of one stream; nobody has had leave for half as many. Calls that were on their way as the
# window shrank, or whose cancellation comes later in their frame, are no reason to end it.
MOST_IN_FLIGHT = 2 * MOST_WINDOW
# Of one result, which is gRPC's limit for a response. A caller takes frames of twice that.
MOST_PAYLOAD = 4 * 1024 * 1024
# Beside a result's payload, about.
_OVERHEAD = 32

CallOf = Callable[[Method[Any, Any], dict[str, str]], Call]


@dataclass(slots=True)
class Serving:
    """One stream, from its opening to the last result."""

    dispatcher: Dispatcher
    draining: asyncio.Event
    window: Window
    call_of: CallOf
    # After this the caller is asked to take another, before the connection is too old.
    age_seconds: float | None
    _credentials: dict[int, str] = field(default_factory=dict)
    _tasks: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    _refused: AppError | None = None
    _out: Outbox = field(default_factory=lambda: Outbox(SERVER))

    async def __call__(self, context: Any) -> None:
        """Returns when the caller has ended the stream, and all its calls have."""
        if self.draining.is_set():
            raise AppError(REASON_UNAVAILABLE, "the server drains", retry_after=1)
        with self.window.told(self._offer):
            await self._run(context)
        if self._refused is not None:
            raise self._refused

    async def _run(self, context: Any) -> None:
        writing = asyncio.ensure_future(self._out.run(context.write))
        leaving = asyncio.ensure_future(self._ask_to_leave())
        SERVER.streams.inc()
        try:
            await self._follow(context)
            # An error, too, is said only when no write is under way.
            self._out.close()
            await writing
        finally:
            SERVER.streams.dec()
            open_ = [writing, leaving, *self._tasks.values()]
            for task in open_:
                task.cancel()
            await asyncio.gather(*open_, return_exceptions=True)

    def _offer(self, window: int) -> None:
        self._out.frame(0).window = window

    async def _follow(self, context: Any) -> None:
        """Reads until the caller has no more to say, or says what nobody may."""
        try:
            while (data := await context.read()) is not grpc.aio.EOF:
                self._read(data)
                # Who does not take its results is not heard any further.
                await self._out.room()
        except AppError as error:
            self._refused = error
        else:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _ask_to_leave(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.age_seconds):
                await self.draining.wait()
        self._out.frame(0).go_away = True

    def _read(self, data: bytes) -> None:
        try:
            frame = Frame.FromString(data)
        except DecodeError as error:
            raise AppError(REASON_INVALID_ARGUMENT, "not a Frame") from error
        for told in frame.credentials:
            self._learn(told.number, told.authorization)
        for sent in frame.calls:
            self._begin(sent)
        for id_ in frame.cancelled:
            task = self._tasks.pop(id_, None)
            if task is not None:
                task.cancel()

    def _learn(self, number: int, authorization: str) -> None:
        if not 0 < number <= MOST:
            raise AppError(REASON_INVALID_ARGUMENT, f"no credential has the number {number}")
        if len(authorization) > MOST_BYTES:
            raise AppError(REASON_INVALID_ARGUMENT, "the credential is too long")
        self._credentials[number] = authorization

    def _begin(self, sent: Sent) -> None:
        if sent.id in self._tasks:
            raise AppError(REASON_INVALID_ARGUMENT, "two calls have one id")
        if len(self._tasks) >= MOST_IN_FLIGHT:
            raise AppError(REASON_INVALID_ARGUMENT, f"{MOST_IN_FLIGHT} calls are in flight")
        given = sent.metadata
        metadata = dict(zip(given[::2], given[1::2], strict=False))
        if sent.credential:
            # Unknown, it is none, and the call is refused for what it lacks.
            metadata[AUTHORIZATION] = self._credentials.get(sent.credential, "")
        serving = self._serve(sent, metadata)
        self._tasks[sent.id] = asyncio.get_running_loop().create_task(serving)

    async def _serve(self, sent: Sent, metadata: dict[str, str]) -> None:
        id_ = sent.id
        try:
            payload = await self._answer(sent, metadata)
            _bound(payload)
            self._out.frame(len(payload) + _OVERHEAD).results.add(id=id_, payload=payload)
        except AppError as error:
            self._refuse(id_, error)
        except Exception:
            # Not expected; with no result at all its caller would wait for as long as it may.
            log.exception("no result", method=sent.method)
            self._refuse(id_, internal())
        # One that is cancelled is out already: another may have its id by now.
        self._tasks.pop(id_, None)

    def _refuse(self, id_: int, error: AppError) -> None:
        try:
            status = to_status(error)
        except ValueError:
            # There is some text in it that cannot be sent.
            log.exception("no result")
            status = to_status(internal())
        # Not many bytes, mostly; but a frame that is too long would end the stream.
        size = status.ByteSize()
        if size > MOST_PAYLOAD:
            status = to_status(_too_long())
        self._out.frame(size + _OVERHEAD).results.add(id=id_, status=status)

    def _answer(self, sent: Sent, metadata: dict[str, str]) -> Awaitable[bytes]:
        method = self.dispatcher.methods.get(sent.method)
        if method is None or method.streams:
            raise AppError(REASON_UNIMPLEMENTED, f"{sent.method} is not served here")
        call = self.call_of(method, metadata)
        if sent.timeout_micros:
            call.deadline = asyncio.get_running_loop().time() + sent.timeout_micros / 1e6
        return answer(self.dispatcher, method, sent.payload, call)


def _bound(payload: bytes) -> None:
    if len(payload) > MOST_PAYLOAD:
        raise _too_long()


def _too_long() -> AppError:
    # As gRPC itself says it.
    return AppError(REASON_OVERLOADED, "resource exhausted")
