"""Time and ids, injected so that tests never wait and a seed replays."""

import time
import uuid
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def now_us(self) -> int:
        """Microseconds since the Unix epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; the event loop's own."""
        ...


class Ids(Protocol):
    """Where ids come from."""

    def new(self) -> str:
        """A new UUID, hyphenated."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_us(self) -> int:
        """Microseconds since the Unix epoch."""
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()


class RandomIds:
    """Random UUIDs (RFC 9562, version 4)."""

    def new(self) -> str:
        """A new UUID."""
        return str(uuid.uuid4())
