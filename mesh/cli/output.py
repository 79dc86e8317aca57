"""Reads what a child prints, line by line."""

import asyncio
import os
from collections.abc import Callable

# A line is cut here, so that a child that prints none cannot fill our memory.
LONGEST = 64 * 1024


class LineReader(asyncio.Protocol):
    """Hands on each line, without its end, as text."""

    def __init__(self, line: Callable[[str], None]) -> None:
        self._line = line
        self._rest = b""
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        """Splits what has come; the last piece waits for its end."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._hand_on(line)
        if len(self._rest) > LONGEST:
            self._hand_on(self._rest)
            self._rest = b""

    def connection_lost(self, _error: Exception | None) -> None:
        """The child has closed its output."""
        if self._rest:
            self._hand_on(self._rest)
        self.ended.set()

    def _hand_on(self, line: bytes) -> None:
        self._line(line.rstrip(b"\r").decode(errors="replace"))


async def open_output(line: Callable[[str], None]) -> tuple[int, LineReader, asyncio.BaseTransport]:
    """A pipe: the end for the child, which the caller closes, and what reads the other."""
    read, write = os.pipe()
    loop = asyncio.get_running_loop()
    transport, reader = await loop.connect_read_pipe(lambda: LineReader(line), os.fdopen(read))
    return write, reader, transport
