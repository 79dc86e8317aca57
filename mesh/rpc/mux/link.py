"""Keeps a stream of calls to one instance."""

import asyncio
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from google.protobuf.message import DecodeError

from leaky.mesh.v1.mux_service_pb2 import Frame
from mesh.discovery.instances import target
from mesh.resilience.backoff import Backoff
from mesh.rpc.grpc_channel import OPTIONS, read_of
from mesh.rpc.mux.one_core import on_one_core
from mesh.rpc.mux.serving import OPEN
from mesh.rpc.mux.session import Session
from mesh.rpc.transport import Transport

log = structlog.get_logger("mux")
# Who does not serve it is asked again after this: another may be there by then.
UNSERVED_SECONDS = 30.0
OPEN_SECONDS = 5.0
# Of a stream that is left, where no call's deadline comes later.
RETIRE_SECONDS = 30.0
# One that ends sooner counts as one that could not be opened.
SHORT_SECONDS = 1.0
BACKOFF = Backoff(first=0.1, cap=1.0)
# Frames are not longer, but for one call that is.
_SIZES = (("grpc.max_receive_message_length", 8 * 1024 * 1024),)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A session with a connection of its own: what ends by age ends with its stream."""

    session: Session
    channel: grpc.aio.Channel

    async def finish(self, seconds: float) -> None:
        try:
            await self.session.finish(seconds)
        finally:
            await self.channel.close()


class Link:
    """One instance. A new session comes before the one that drains or is too old has ended."""

    def __init__(self, address: str, service: str, transport: Transport) -> None:
        self._target = target((address,))
        self._shares_core = on_one_core(address)
        self._service = service
        self._transport = transport
        self._current: _Opened | None = None
        self._retiring: dict[asyncio.Task[None], Session] = {}
        self._renewing = asyncio.Event()
        self._retire_seconds = RETIRE_SECONDS
        self.served = True
        self._running = asyncio.ensure_future(self._run())

    @property
    def session(self) -> Session | None:
        """Where a call may be begun; None for nowhere."""
        current = self._current
        if current is None or current.session.leaving.is_set():
            return None
        return current.session

    def renew(self, retire_seconds: float) -> None:
        """Moves to a new connection once there is one; the other lasts for its calls.

        Where those have no deadlines, it is so many seconds at most.
        """
        self._retire_seconds = max(RETIRE_SECONDS, retire_seconds)
        self._renewing.set()

    async def _run(self) -> None:
        failures = 0
        now = asyncio.get_running_loop().time
        while True:
            self._renewing.clear()
            opened = await self._tried()
            begun = now()
            if opened is not None:
                self._use(opened)
                await self._over(opened.session)
                if self.session is None:
                    self._use(None)
                if now() - begun > SHORT_SECONDS:
                    failures = 0
                    continue
            failures += 1
            await asyncio.sleep(BACKOFF.delay(failures) if self.served else UNSERVED_SECONDS)

    async def _tried(self) -> _Opened | None:
        try:
            return await self._open()
        except Exception:
            # Not expected; without another try this instance would have no stream for ever.
            log.exception("no stream of calls", target=self._target)
            return None

    async def _open(self) -> _Opened | None:
        options = (*OPTIONS, ("grpc.use_local_subchannel_pool", 1), *_SIZES)
        channel = self._transport.dial(self._service, self._target, options)
        stream: Any = channel.stream_stream(OPEN)()
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                hello = await read_of(stream)
            if isinstance(hello, bytes):
                self.served = True
                window = Frame.FromString(hello).window
                return _Opened(Session(stream, window, self._shares_core), channel)
        except grpc.aio.AioRpcError as error:
            self.served = error.code() is not grpc.StatusCode.UNIMPLEMENTED
        except (TimeoutError, DecodeError):
            pass
        except BaseException:
            await channel.close()
            raise
        await channel.close()
        return None

    def _use(self, opened: _Opened | None) -> None:
        before, self._current = self._current, opened
        if before is not None:
            task = asyncio.ensure_future(before.finish(self._retire_seconds))
            self._retiring[task] = before.session
            task.add_done_callback(self._retiring.pop)

    async def _over(self, session: Session) -> None:
        """Returns when another is needed."""
        either = [
            asyncio.ensure_future(event.wait()) for event in (session.leaving, self._renewing)
        ]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiting in either:
                waiting.cancel()

    async def finish(self) -> None:
        """Begins no more calls, and ends when those in flight have."""
        await self._stop()
        await asyncio.gather(*self._retiring, return_exceptions=True)

    async def close(self) -> None:
        """Ends now, with what is in flight; also what `finish` waits for."""
        await self._stop()
        for session in self._retiring.values():
            session.end()
        await asyncio.gather(*self._retiring, return_exceptions=True)

    async def _stop(self) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        self._use(None)
