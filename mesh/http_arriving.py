"""Bounds on what a connection costs while its request arrives, and while its answer is read.

uvicorn has none. A head may be as long as memory lasts; and a client that goes away without a
word in the middle of its body, or stops reading, keeps its place for ever: TCP does not
tell of it, and nothing else asks.

As in mesh.http_protocol, this knows how uvicorn's protocol is made.
"""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mesh.http_sending import block
from mesh.timing_wheel import Timers

# All names and values, and the URL. What else stands before gateways allows 8 to 60 KiB.
HEAD_BYTES = 64 * 1024
# For a request from its first byte to its last one, and for what waits to be read.
ARRIVE_SECONDS = 60.0
# In place of the exchange that a refused request never has; what comes of a body is let go.
ANSWERED: Any = SimpleNamespace(response_complete=True, message_event=asyncio.Event())
_TEXT = (b"content-type", b"text/plain; charset=utf-8")


class Config(uvicorn.Config):
    """uvicorn's, with one timer for all connections."""

    timers: Timers | None = None


class ArrivingProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, config: Config, **options: Any) -> None:
        super().__init__(config, **options)
        config.timers = config.timers or Timers(self.loop)
        # Which it uses for its requests' tasks, and for the time that it stays open.
        self.loop = cast("asyncio.AbstractEventLoop", config.timers)
        self._begun = self._in_head = False
        # What has been read of a head, and what is being read now.
        self._head = self._chunk = 0
        self._arriving: Any = None
        self._unread: Any = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Waits for a first request as long as for others."""
        super().connection_made(transport)
        self._idle()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits for nothing any more."""
        super().connection_lost(exc)
        for timer in (self._arriving, self._unread):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Reads on; what is not whole then has its time."""
        self._chunk = len(data)
        super().data_received(data)
        if self._begun:
            self._await_rest()
        elif self.timeout_keep_alive_task is None and not self._busy():
            # The rest of a request that was answered before has stopped its timer.
            self._idle()

    def on_message_begin(self) -> None:
        """A request's first byte."""
        super().on_message_begin()
        self._begun = self._in_head = True
        self._head = 0

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self.cycle is ANSWERED and self.transport.is_closing():
            return
        if self._head + self._chunk > HEAD_BYTES and self._head_size() > HEAD_BYTES:
            self._too_large()
            return
        self._in_head = False
        self.begin()

    def begin(self) -> None:
        """Serves the request."""
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request's last byte."""
        super().on_message_complete()
        self._begun = False
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None

    def pause_writing(self) -> None:
        """More waits to be read than goes into the client's window."""
        super().pause_writing()
        self._unread = self.loop.call_later(ARRIVE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _idle(self) -> None:
        if not self.transport.is_closing():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _await_rest(self) -> None:
        if self._arriving is None and not self.transport.is_closing():
            self._arriving = self.loop.call_later(ARRIVE_SECONDS, self._late)
        if self._in_head:
            self._head += self._chunk
            if self._head > HEAD_BYTES:
                self._too_large()

    def _late(self) -> None:
        self._arriving = None
        if self.flow.read_paused:
            # It is not the client who is slow.
            self._await_rest()
        else:
            self._end(408, f"the request was not whole within {ARRIVE_SECONDS:g} s")

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _too_large(self) -> None:
        self._end(431, f"the request's head is larger than {HEAD_BYTES} bytes")

    def _end(self, status: int, text: str) -> None:
        """Answers a request that is not served, or not any more, and closes."""
        if self.transport.is_closing():
            return
        if self._busy():
            cycle = self.cycle
            if self._in_head or self.pipeline or cycle.response_started:
                # The answer would be taken for that of what is served.
                self.transport.abort()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self.cycle = ANSWERED
        body = text.encode()
        length = (b"content-length", str(len(body)).encode())
        headers = [*self.server_state.default_headers, _TEXT, length]
        self.transport.write(block(status, headers, body, last=True))
        self.transport.close()
