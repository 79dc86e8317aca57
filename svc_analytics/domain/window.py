"""Stretches of time, and stretches cut into equal buckets."""

from dataclasses import dataclass

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From `start_us` up to, but not including, `end_us`; microseconds since the epoch."""

    start_us: int
    end_us: int

    @classmethod
    def until(cls, now_us: int, *, minutes: int) -> "Window":
        """The minutes that end with this microsecond, which is still inside."""
        end_us = now_us + 1
        return cls(start_us=end_us - minutes * MINUTE_US, end_us=end_us)

    @property
    def length_us(self) -> int:
        """How long it is."""
        return self.end_us - self.start_us

    def with_before(self, count: int) -> "Window":
        """This window and as many of its length before it, as one."""
        return Window(start_us=self.start_us - count * self.length_us, end_us=self.end_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """A window cut from its start on; the last bucket ends with the window, so may be shorter."""

    window: Window
    width_us: int

    @property
    def count(self) -> int:
        """How many there are."""
        return -(-self.window.length_us // self.width_us)

    def start_us(self, index: int) -> int:
        """Where the bucket begins, counted from 0."""
        return self.window.start_us + index * self.width_us

    def index(self, at_us: int) -> int:
        """The bucket of a moment inside the window."""
        return (at_us - self.window.start_us) // self.width_us


def cut(window: Window, *, at_most: int) -> Buckets:
    """The finest cut into whole seconds that makes at most so many buckets."""
    seconds = max(1, -(-window.length_us // (at_most * SECOND_US)))
    return Buckets(window=window, width_us=seconds * SECOND_US)
