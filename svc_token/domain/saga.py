"""A purchase: which step comes next, and what the outside is told of it.

STARTED -> authorise -> PAYMENT_RESERVED -> capture -> allocate ->
TOKENS_ALLOCATED -> COMPLETED. The capture is the pivot: before it any failure
voids the authorisation and ends FAILED; from it on there is only forward.
Where the two meet the payment provider decides: it has one of both, for good.
"""

from collections.abc import Mapping
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
# What there is to do, and how it ends.
STEPS = tuple(step for step in Step if step is not Step.NONE)
ENDS = tuple(move.status for move in MOVES.values() if move.step is Step.NONE)
STARTED_EVENT = "TOKEN_PURCHASE_STARTED"
# The intent to void is written before the call that voids.
DECLINED = Move(status=Status.STARTED, step=Step.VOID, events=("PAYMENT_RELEASE_REQUESTED",))
GIVEN_UP = Move(
    status=Status.PAYMENT_RESERVED,
    step=Step.VOID,
    events=("TOKEN_PAYMENT_RESERVED", "PAYMENT_RELEASE_REQUESTED"),
)
# From CAPTURE only when the provider has said that it will not: an answer that is
# missing leads nowhere else, as the money may be taken.
REFUSED = Move(
    status=Status.PAYMENT_RESERVED, step=Step.VOID, events=("PAYMENT_RELEASE_REQUESTED",)
)


def taken(saga: "Saga") -> Move:
    """Out of VOID when the money is taken all the same: who has paid gets the tokens."""
    told = saga.status is Status.PAYMENT_RESERVED
    return Move(
        status=Status.PAYMENT_RESERVED,
        step=Step.ALLOCATE,
        events=() if told else ("TOKEN_PAYMENT_RESERVED",),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Saga:
    """A purchase as it stands.

    `version` fences: a step commits only on the version that it read, and each
    claim is a new one. Until `lease_until_us` nobody but `holder` advances it.
    """

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
    holder: str | None = None
    lease_until_us: int = 0

    @property
    def pool(self) -> PoolKey:
        """The pool that the tokens go to."""
        return PoolKey(Owner.of(self.user_id, self.org_id), self.provider)

    def same_request(self, other: "Saga") -> bool:
        """Whether both buy the same for the same."""
        return (self.pool, self.tokens, self.user_id) == (other.pool, other.tokens, other.user_id)

    def claimed(self, holder: str, until_us: int) -> "Saga":
        """The saga in somebody's hands; whoever had it before can end no step any more."""
        return replace(self, holder=holder, lease_until_us=until_us, version=self.version + 1)

    def moved(self, move: Move, now_us: int) -> "Saga":
        """The saga after a step; at its end it is in nobody's hands."""
        ended = move.step is Step.NONE
        return replace(
            self,
            status=move.status,
            step=move.step,
            updated_us=now_us,
            version=self.version + 1,
            holder=None if ended else self.holder,
            lease_until_us=0 if ended else self.lease_until_us,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """The purchases that have not ended: how many are at which step, and how many stand still.

    `lease_ends_us` is when the first of their leases ends; None without any.
    """

    steps: Mapping[Step, int]
    stale: int
    lease_ends_us: int | None
