"""What can be done to balances, as values; each is done as a whole or not at all."""

from dataclasses import dataclass

from svc_token.domain.entry import Provenance
from svc_token.domain.events import Event
from svc_token.domain.idempotency import Answer
from svc_token.domain.owner import Owner, PoolKey
from svc_token.domain.pool import Pool
from svc_token.domain.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """Holds tokens.

    `allowance` is what the owner's tier gives; None leaves the pool's own, and
    such a pool must exist already. `bucket_us` is when the rate bucket gave
    them, 0 when it was not asked.
    """

    id: str
    pool: PoolKey
    user_id: str
    tokens: int
    allowance: int | None
    window: Window
    now_us: int
    expires_us: int
    bucket_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """Charges `tokens` of what a reservation holds, frees the rest and emits `event`.

    `answer` is kept in the same step, unless the reservation was settled before.
    """

    id: str
    pool: PoolKey
    tokens: int
    event: Event
    window: Window
    now_us: int
    provenance: Provenance = Provenance.EXACT
    answer: Answer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Frees what a reservation holds; `expired` when nobody came back for it."""

    id: str
    pool: PoolKey
    window: Window
    now_us: int
    expired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Emit:
    """Sends an event that goes with no balance, such as an unenforced use."""

    event: Event
    answer: Answer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Makes a pool; one that exists is PoolExistsError. `answer` is kept in the same step."""

    opened: Pool
    answer: Answer | None = None

    @property
    def pool(self) -> PoolKey:
        """Which pool."""
        return self.opened.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjust:
    """Sets a pool's allowance; what was used stays used. No such pool is PoolNotFoundError."""

    pool: PoolKey
    allowance: int
    window: Window
    now_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Buy:
    """Adds the tokens of the purchase `id`; a pool that is missing opens with `allowance`."""

    id: str
    pool: PoolKey
    user_id: str
    tokens: int
    allowance: int
    window: Window
    now_us: int


OnReservation = Reserve | Settle | Release
OnPool = OnReservation | Open | Adjust | Buy
Operation = OnPool | Emit
# An id is the caller's own choice, so it names a reservation among its owner's only.
ReservationKey = tuple[Owner, str]
MemberKey = tuple[PoolKey, str]
