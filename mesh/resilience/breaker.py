"""A circuit breaker over the last N calls (Nygard, Release It!, "Circuit Breaker").

Closed counts; open refuses; after `open_seconds` half-open lets a bounded
number of probes through: all of them succeed and it closes, one fails and it
opens again.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from types import TracebackType
from typing import Self

import structlog
from prometheus_client import Gauge

from leaky.common.v1.reason_pb2 import REASON_CIRCUIT_OPEN
from mesh.errors import AppError

log = structlog.get_logger("breaker")
STATE = Gauge("breaker_state", "0 closed, 1 half-open, 2 open.", ["name"])


class State(IntEnum):
    """Where a breaker stands; the value is what the metric shows."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When to open and for how long.

    It opens with a failure when, of the last `window` calls and at least `min_calls`
    of them, `failure_percent` or more failed. `half_open` is the number of probes.
    """

    window: int = 20
    min_calls: int = 10
    failure_percent: int = 50
    open_seconds: float = 10.0
    half_open: int = 3


def log_change(name: str, state: State) -> None:
    """The hook that a breaker has unless given another."""
    log.warning("breaker changed", breaker=name, state=state.name.lower())


class Breaker:
    """One target's breaker. For one event loop; nothing in it awaits.

    `policy` is asked at each use, so that settings apply live. `name` is a
    metric label and comes from a closed set; `clock` gives monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        policy: Callable[[], BreakerPolicy],
        clock: Callable[[], float],
        on_change: Callable[[str, State], None] = log_change,
    ) -> None:
        self.name = name
        self._policy = policy
        self._clock = clock
        self._on_change = on_change
        self._state = State.CLOSED
        self._results: deque[bool] = deque()
        self._failures = 0
        self._opened_at = 0.0
        self._probes = 0
        # Counts state changes: a result that comes from before one says nothing.
        self._epoch = 0
        STATE.labels(name).set(State.CLOSED)

    @property
    def state(self) -> State:
        """Where it stands; open turns into half-open with the next call let through."""
        return self._state

    @property
    def retry_after(self) -> float:
        """Seconds until an open breaker lets a probe through; 0 when it is not open."""
        if self._state is not State.OPEN:
            return 0.0
        return max(0.0, self._opened_at + self._policy().open_seconds - self._clock())

    def allow(self) -> "Permit | None":
        """A permit for one call, or None. Its holder records the result or releases it."""
        if self._state is State.CLOSED:
            return Permit(self, self._epoch)
        if self._state is State.OPEN and self.retry_after == 0:
            self._enter(State.HALF_OPEN)
        if self._state is State.HALF_OPEN:
            self._close_when_proven()
        if self._state is State.OPEN or self._probing():
            return None
        if self._state is State.HALF_OPEN:
            self._probes += 1
        return Permit(self, self._epoch)

    def before(self) -> "Permit":
        """As `allow`, but a refusal is an AppError CIRCUIT_OPEN with retry_after."""
        permit = self.allow()
        if permit is None:
            raise AppError(
                REASON_CIRCUIT_OPEN, "Circuit breaker open", retry_after=self.retry_after
            )
        return permit

    def _probing(self) -> bool:
        taken = self._probes + len(self._results)
        return self._state is State.HALF_OPEN and taken >= self._policy().half_open

    def _record(self, epoch: int, *, success: bool) -> None:
        if epoch != self._epoch:
            return
        results = self._results
        results.append(success)
        if self._state is State.HALF_OPEN:
            self._probes -= 1
            self._judge_probe(success=success)
            return
        policy = self._policy()
        while len(results) > policy.window:
            self._failures -= not results.popleft()
        # A target that answers is there, however many calls failed before it came.
        if not success:
            self._failures += 1
            self._judge_window(policy)

    def _release(self, epoch: int) -> None:
        if epoch == self._epoch and self._state is State.HALF_OPEN:
            self._probes -= 1

    def _judge_probe(self, *, success: bool) -> None:
        if success:
            self._close_when_proven()
        else:
            self._enter(State.OPEN)

    def _close_when_proven(self) -> None:
        if len(self._results) >= self._policy().half_open:
            self._enter(State.CLOSED)

    def _judge_window(self, policy: BreakerPolicy) -> None:
        calls = len(self._results)
        # With fewer calls in the window than min_calls it could never open.
        if calls < min(policy.min_calls, policy.window):
            return
        if self._failures * 100 >= policy.failure_percent * calls:
            self._enter(State.OPEN)

    def _enter(self, state: State) -> None:
        self._state = state
        self._epoch += 1
        self._results.clear()
        self._failures = 0
        self._probes = 0
        if state is State.OPEN:
            self._opened_at = self._clock()
        STATE.labels(self.name).set(state)
        self._on_change(self.name, state)


class Permit:
    """Leave for one call; as a context manager it is released when nothing was recorded.

    Cancellations and client errors are released, not recorded: they say nothing
    about the target.
    """

    __slots__ = ("_breaker", "_epoch", "_open")

    def __init__(self, breaker: Breaker, epoch: int) -> None:
        self._breaker = breaker
        self._epoch = epoch
        self._open = True

    def record(self, *, success: bool) -> None:
        """The call's result; only the first one counts."""
        if self._open:
            self._open = False
            self._breaker._record(self._epoch, success=success)  # noqa: SLF001 one unit

    def release(self) -> None:
        """Gives the permit back without a result."""
        if self._open:
            self._open = False
            self._breaker._release(self._epoch)  # noqa: SLF001 one unit

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._open:
            self.release()
