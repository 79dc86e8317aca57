"""One call over its attempts: every decision, no I/O."""

from dataclasses import dataclass
from typing import Generic

from .answers import Answer, Failure, Kind, refusal
from .errors import LeakyError
from .headers import Trace
from .request import Request, T
from .session import Session

# 503s that say so by intent: a retry would only hear it again.
_FINAL = frozenset({"FEATURE_DISABLED", "PROVIDER_DISABLED"})
_RETRIED = frozenset({429, 503})


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Generic[T]):
    """The call is over."""

    value: T


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The call is sent again after so many seconds."""

    after: float


class Attempts(Generic[T]):
    """A call on its way. `timeout` in seconds bounds all attempts and waits together."""

    def __init__(
        self,
        session: Session,
        request: Request[T],
        *,
        timeout: float | None,
        trace: Trace | None,
    ) -> None:
        self._session = session
        self._request = request
        self._tried = 0
        seconds = session.timeout if timeout is None else timeout
        self._deadline = session.clock.monotonic() + seconds
        self.verb = request.verb
        self.url = session.url(request)
        self.headers = session.headers(request, trace)
        self.content = request.content()

    def left(self) -> float:
        """Seconds until the deadline, never negative."""
        return max(0.0, self._deadline - self._session.clock.monotonic())

    def judge(self, outcome: Answer | Failure) -> Done[T] | Retry:
        """What follows from an attempt; raises the call's error when it is over."""
        self._tried += 1
        if isinstance(outcome, Answer) and outcome.success:
            self._session.budget.answered()
            return Done(value=self._decoded(outcome))
        error = self._error(outcome)
        after = self._pause(outcome, error)
        if after is None:
            raise error from (outcome.cause if isinstance(outcome, Failure) else None)
        return Retry(after=after)

    def _decoded(self, answer: Answer) -> T:
        try:
            return self._request.decode(answer.document())
        except ValueError as error:
            message = f"{self._request.name}: {error}"
            raise LeakyError(message, reason="INVALID_RESPONSE", status=answer.status) from None

    def _error(self, outcome: Answer | Failure) -> LeakyError:
        session = self._session
        if isinstance(outcome, Failure):
            return outcome.error(session.errors, session.base_url)
        return refusal(outcome, session.errors, session.clock.time())

    def _pause(self, outcome: Answer | Failure, error: LeakyError) -> float | None:
        """Seconds to wait before the next attempt, None when there is none."""
        session = self._session
        if not _transient(outcome, error):
            session.budget.answered()
            return None
        allowed = session.budget.failed()
        last = self._tried >= session.retry.max_attempts
        if not allowed or last or not self._request.repeatable:
            return None
        after = max(session.retry.backoff(self._tried), error.retry_after or 0.0)
        return after if after < self.left() else None


def _transient(outcome: Answer | Failure, error: LeakyError) -> bool:
    if isinstance(outcome, Failure):
        return outcome.kind is Kind.CONNECTION
    if outcome.status not in _RETRIED or error.reason in _FINAL:
        return False
    return outcome.status != 429 or error.retry_after is not None  # noqa: PLR2004 HTTP's own number
