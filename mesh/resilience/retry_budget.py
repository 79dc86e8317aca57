"""How much a client may retry, so that retries never become the load (gRFC A6, throttling)."""

# gRFC A6 gives the ratio three decimals; whole thousandths do not drift.
_UNIT = 1000


class RetryBudget:
    """Tokens of one target: a failure takes one, a success gives `ratio` of one back.

    Retrying is allowed while more than half of the tokens are there.
    """

    def __init__(self, *, max_tokens: int = 10, ratio: float = 0.1) -> None:
        self._max = max_tokens * _UNIT
        self._ratio = round(ratio * _UNIT)
        self._tokens = self._max

    @property
    def tokens(self) -> float:
        """What is left."""
        return self._tokens / _UNIT

    def allows_retry(self) -> bool:
        """Whether a call that has just failed may be tried again; record the failure first."""
        return self._tokens * 2 > self._max

    def record_success(self) -> None:
        """A call or a retry was answered."""
        if self._tokens < self._max:
            self._tokens = min(self._max, self._tokens + self._ratio)

    def record_failure(self) -> None:
        """A call or a retry failed in a way that would be worth retrying."""
        self._tokens = max(0, self._tokens - _UNIT)
