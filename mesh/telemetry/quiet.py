"""Keeps what happens to many calls at once from filling the log."""

import time
from collections.abc import Callable

SECONDS = 1.0


class Quiet:
    """Lets one line through a second, however many would be said."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = -SECONDS

    def lets(self) -> bool:
        """Whether this one may be said; the next may be in a second."""
        now = self._clock()
        if now < self._until:
            return False
        self._until = now + SECONDS
        return True
