"""Request counters in this process's memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# A bound on memory; callers beyond it in one window share a counter.
MOST = 100_000
OVERFLOW = "overflow"


class MemoryWindows:
    """Counters of the current window, and of the one before while clocks disagree."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._counts: dict[tuple[int, int], dict[str, int]] = {}

    async def hit(self, key: str, window_id: int, window_us: int) -> int:
        """Counts a request; nothing awaits, so it is one step."""
        counts = self._window(window_id, window_us)
        if key not in counts and len(counts) >= self._most:
            key = OVERFLOW
        counts[key] = counts.get(key, 0) + 1
        return counts[key]

    def _window(self, window_id: int, window_us: int) -> dict[str, int]:
        counts = self._counts.get((window_us, window_id))
        if counts is None:
            passed = [at for at in self._counts if at[0] != window_us or at[1] < window_id - 1]
            for at in passed:
                del self._counts[at]
            counts = self._counts[window_us, window_id] = {}
        return counts


@asynccontextmanager
async def open_windows(_url: str, *, secret: str) -> AsyncIterator[MemoryWindows]:  # noqa: ARG001 nobody else reads this memory
    """Counters for `memory://`."""
    yield MemoryWindows()
