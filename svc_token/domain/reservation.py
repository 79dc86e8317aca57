"""Tokens held for a call that is under way."""

from dataclasses import dataclass, field
from enum import StrEnum

from svc_token.domain.owner import OwnerKind, PoolKey
from svc_token.domain.pool import Hold


class State(StrEnum):
    """A reservation ends exactly once; only an expired one may still become SETTLED."""

    RESERVED = "RESERVED"
    SETTLED = "SETTLED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"

    @property
    def may_settle(self) -> bool:
        """Whether a charge may still come."""
        return self in {State.RESERVED, State.EXPIRED}


class ReservationNotFoundError(Exception):
    """No reservation has this id."""


class ReservationConflictError(Exception):
    """The id was used with other content, or the reservation has ended otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A hold under an id that the caller chose; `settled` is what was charged in the end.

    `remaining` and `end_remaining` are what the pool had left after the hold and
    after its end, so that an answer can be given again; `repeated` says that
    this one is. `bucket_us` is when the rate bucket gave the tokens, 0 for never.
    """

    id: str
    pool: PoolKey
    user_id: str
    hold: Hold
    state: State
    expires_us: int
    settled: int = 0
    remaining: int = 0
    end_remaining: int = 0
    bucket_us: int = 0
    repeated: bool = field(default=False, compare=False)

    @property
    def org_id(self) -> str | None:
        """The organisation that pays; None when the user does."""
        owner = self.pool.owner
        return owner.id if owner.kind is OwnerKind.ORG else None

    def is_for(self, user_id: str, tokens: int) -> bool:
        """Whether a reservation of this content would be the same."""
        return (self.user_id, self.hold.tokens) == (user_id, tokens)

    @property
    def held(self) -> int:
        """The tokens that it holds now."""
        return self.hold.tokens if self.state is State.RESERVED else 0

    def ended(self, state: State, remaining: int, *, settled: int = 0) -> "Reservation":
        """The reservation at its end."""
        return Reservation(
            id=self.id,
            pool=self.pool,
            user_id=self.user_id,
            hold=self.hold,
            state=state,
            expires_us=self.expires_us,
            settled=settled,
            remaining=self.remaining,
            end_remaining=remaining,
            bucket_us=self.bucket_us,
        )
