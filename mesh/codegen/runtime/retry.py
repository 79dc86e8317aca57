"""How often and how soon a call is sent again."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff with full jitter; times in seconds.

    `jitter` gives numbers in [0, 1). See "Exponential Backoff And Jitter",
    AWS Architecture Blog, 2015.
    """

    max_attempts: int = 3
    first_backoff: float = 0.1
    max_backoff: float = 2.0
    # Spreading load is no cryptography.
    jitter: Callable[[], float] = random.random

    def backoff(self, tried: int) -> float:
        """How long to wait after this many attempts."""
        return self.jitter() * min(self.max_backoff, self.first_backoff * 2.0 ** (tried - 1))


class RetryBudget:
    """Retry throttling of gRFC A6: a failing server gets fewer calls, not more.

    Shared by all calls of a client, over threads too.
    """

    MAX_TOKENS = 10.0
    TOKEN_RATIO = 0.1

    def __init__(self) -> None:
        self._tokens = self.MAX_TOKENS
        self._lock = threading.Lock()

    def failed(self) -> bool:
        """Books an attempt that failed; whether another one may follow."""
        with self._lock:
            self._tokens = max(0.0, self._tokens - 1.0)
            return self._tokens > self.MAX_TOKENS / 2

    def answered(self) -> None:
        """Books an attempt that the server dealt with."""
        with self._lock:
            self._tokens = min(self.MAX_TOKENS, self._tokens + self.TOKEN_RATIO)
