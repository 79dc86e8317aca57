"""A response as uvicorn writes it, in one block."""

from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from mesh.edge.answering import Headers
from mesh.edge.errors import CLOSE


class Sending:
    """An exchange's `send` that also takes a response as a whole, as mesh.edge.sending gives it."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: RequestResponseCycle) -> None:
        self._exchange = exchange

    async def __call__(self, message: Message) -> None:
        """Sends one of ASGI's messages."""
        await self._exchange.send(message)  # type: ignore[arg-type] # ASGI types, twice

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """What two messages would do, in one write; the headers are all well formed."""
        exchange = self._exchange
        if exchange.flow.write_paused and not exchange.disconnected:
            await exchange.flow.drain()
        if exchange.disconnected:
            return
        last = not exchange.keep_alive or CLOSE in headers
        written = block(status, [*exchange.default_headers, *headers], body, last=last)
        exchange.response_started = exchange.response_complete = True
        exchange.waiting_for_100_continue = False
        exchange.message_event.set()
        exchange.transport.write(written)
        if last:
            exchange.transport.close()
        exchange.on_response()


def block(status: int, headers: Headers, body: bytes, *, last: bool) -> bytes:
    """The bytes of it; after the `last` one the connection is closed."""
    if last and CLOSE not in headers:
        headers = [*headers, CLOSE]
    parts = [STATUS_LINE[status]]
    for name, value in headers:
        parts += (name, b": ", value, b"\r\n")
    head = b"".join(parts)
    if head.count(b"\n") != len(headers) + 1:
        raise RuntimeError("a header has a line break")
    return b"".join((head, b"\r\n", body))
