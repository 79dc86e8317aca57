"""Tokens held for a call that is under way."""

from dataclasses import dataclass, replace
from enum import StrEnum

from svc_token.domain.owner import PoolKey
from svc_token.domain.pool import Hold


class State(StrEnum):
    """A reservation ends exactly once; only an expired one may still become SETTLED."""

    RESERVED = "RESERVED"
    SETTLED = "SETTLED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


class ReservationNotFoundError(Exception):
    """No reservation has this id."""


class ReservationConflictError(Exception):
    """The id was used with other content, or the reservation has ended otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A hold under an id that the caller chose; `settled` is what was charged in the end."""

    id: str
    pool: PoolKey
    user_id: str
    hold: Hold
    state: State
    expires_us: int
    settled: int = 0

    def ended(self, state: State, settled: int = 0) -> "Reservation":
        """The reservation at its end."""
        return replace(self, state=state, settled=settled)
