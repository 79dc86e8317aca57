"""Time and ids, injected so that tests never wait and a seed replays."""

import time
from typing import Protocol

from mesh.noise import noise

# The digit that says which UUIDs these are: 10xx in bits, of any hex digit's last two.
_VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}


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
        """A new UUID; uuid.uuid4 takes four times as long."""
        digits = noise().hex()
        variant = _VARIANT[digits[16]]
        last = f"4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
        return f"{digits[:8]}-{digits[8:12]}-{last}"
