"""A line to a server that can be cut at a chosen moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit


@dataclass
class Line:
    """Carries bytes both ways.

    Armed with a text, it hands on the message of the client that holds it, and
    is cut before the server's answer comes back.
    """

    url: str = ""
    armed: bytes = b""
    cuts: int = 0

    async def carry(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """One connection, until one of its ends is closed."""
        target = urlsplit(self.url)
        server, onward = await asyncio.open_connection(target.hostname, target.port)
        cut = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._up(client, onward, cut))
                group.create_task(_down(server, back, cut))
        except* ConnectionError:
            pass
        finally:
            back.close()
            onward.close()

    async def _up(
        self, client: asyncio.StreamReader, onward: asyncio.StreamWriter, cut: asyncio.Event
    ) -> None:
        while message := await client.read(65_536):
            if self.armed and self.armed in message:
                self.armed = b""
                self.cuts += 1
                cut.set()
            onward.write(message)
            await onward.drain()
        onward.close()


async def _down(
    server: asyncio.StreamReader, back: asyncio.StreamWriter, cut: asyncio.Event
) -> None:
    while answer := await server.read(65_536):
        if cut.is_set():
            # It has been answered, so it has been done.
            break
        back.write(answer)
        await back.drain()
    back.close()


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[tuple[Line, str]]:
    """The line, and the URL that leads over it."""
    line = Line(url=url)
    listening = await asyncio.start_server(line.carry, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        parsed = urlsplit(url)
        user, _, _ = parsed.netloc.rpartition("@")
        yield line, urlunsplit(parsed._replace(netloc=f"{user}@127.0.0.1:{port}"))
        listening.close()
