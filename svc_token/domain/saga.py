"""A purchase: which step comes next, and what the outside is told of it.

STARTED -> authorise -> PAYMENT_RESERVED -> capture -> allocate ->
TOKENS_ALLOCATED -> COMPLETED. The capture is the pivot: before it any failure
voids the authorisation and ends FAILED; from it on there is only forward.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from svc_token.domain.owner import Owner, PoolKey


class Status(StrEnum):
    """What a client sees."""

    STARTED = "STARTED"
    PAYMENT_RESERVED = "PAYMENT_RESERVED"
    TOKENS_ALLOCATED = "TOKENS_ALLOCATED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class Step(StrEnum):
    """What is to be done next. Written before it is done, so that a crash knows."""

    AUTHORIZE = "AUTHORIZE"
    CAPTURE = "CAPTURE"
    ALLOCATE = "ALLOCATE"
    COMPLETE = "COMPLETE"
    VOID = "VOID"
    NONE = "NONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The end of a step: what it leads to, and the events that say so."""

    status: Status
    step: Step
    events: tuple[str, ...] = ()


MOVES: dict[Step, Move] = {
    Step.AUTHORIZE: Move(
        status=Status.PAYMENT_RESERVED, step=Step.CAPTURE, events=("TOKEN_PAYMENT_RESERVED",)
    ),
    Step.CAPTURE: Move(status=Status.PAYMENT_RESERVED, step=Step.ALLOCATE),
    Step.ALLOCATE: Move(
        status=Status.TOKENS_ALLOCATED, step=Step.COMPLETE, events=("TOKEN_ALLOCATED",)
    ),
    Step.COMPLETE: Move(
        status=Status.COMPLETED, step=Step.NONE, events=("TOKEN_PURCHASE_COMPLETED",)
    ),
    Step.VOID: Move(status=Status.FAILED, step=Step.NONE, events=("TOKEN_PURCHASE_FAILED",)),
}
STARTED_EVENT = "TOKEN_PURCHASE_STARTED"
# The intent to void is written before the call that voids. There is no way to
# it from CAPTURE: a capture may have been sent by a process that is gone.
DECLINED = Move(status=Status.STARTED, step=Step.VOID, events=("PAYMENT_RELEASE_REQUESTED",))
GIVEN_UP = Move(
    status=Status.PAYMENT_RESERVED,
    step=Step.VOID,
    events=("TOKEN_PAYMENT_RESERVED", "PAYMENT_RELEASE_REQUESTED"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saga:
    """A purchase as it stands. `version` fences: a step commits only on the version it read."""

    id: str
    scope: str
    user_id: str
    org_id: str | None
    provider: str
    tokens: int
    idempotency_key: str | None
    status: Status
    step: Step
    created_us: int
    updated_us: int
    version: int = 0

    @property
    def pool(self) -> PoolKey:
        """The pool that the tokens go to."""
        return PoolKey(Owner.of(self.user_id, self.org_id), self.provider)

    def same_request(self, other: "Saga") -> bool:
        """Whether both buy the same for the same."""
        return (self.pool, self.tokens, self.user_id) == (other.pool, other.tokens, other.user_id)

    def moved(self, move: Move, now_us: int) -> "Saga":
        """The saga after a step."""
        return replace(
            self,
            status=move.status,
            step=move.step,
            updated_us=now_us,
            version=self.version + 1,
        )
