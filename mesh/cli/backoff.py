"""How long a crashed child waits before it is started again."""

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Backoff:
    """Doubles with each crash up to a cap; a child that ran long enough starts afresh.

    All in seconds.
    """

    first: float = 0.5
    cap: float = 30.0
    reset_after: float = 30.0
    _next: float = 0.0

    def after(self, ran: float) -> float:
        """The wait after a run of this length."""
        if ran >= self.reset_after or not self._next:
            self._next = self.first
        wait = self._next
        self._next = min(self._next * 2, self.cap)
        return wait
