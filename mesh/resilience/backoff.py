"""Waits that grow and are spread out, so that those who failed together do not return together."""

import random as randomness
from collections.abc import Callable
from dataclasses import dataclass

_MOST_DOUBLINGS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015).

    `first` and `cap` are seconds; `random` gives numbers in [0, 1).
    """

    first: float
    cap: float
    # Jitter is no secret.
    random: Callable[[], float] = randomness.random

    def delay(self, attempt: int) -> float:
        """Seconds to wait after the attempt-th failure, counted from 1."""
        doublings = min(max(attempt - 1, 0), _MOST_DOUBLINGS)
        return self.random() * min(self.cap, self.first * 2.0**doublings)
