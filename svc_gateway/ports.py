"""What the edge needs of the world."""

from typing import Protocol


class Windows(Protocol):
    """Counters of requests, by caller and window."""

    async def hit(self, key: str, window_id: int, window_us: int) -> int:
        """Counts a request in one step; how many the window has now, this one included.

        AppError UNAVAILABLE when the store is away; it may have counted all the same.
        """
        ...
