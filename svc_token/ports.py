"""What the use cases need of the world, as atomic verbs."""

from collections.abc import Awaitable, Collection, Sequence
from typing import Protocol

from mesh.identity.principal import Principal
from svc_token.domain.bucket import BucketRule, Decision, Taken
from svc_token.domain.events import Backlog, OutboxRow, ParkedRow, UsageEvent
from svc_token.domain.idempotency import Answer, Claim, Key
from svc_token.domain.lease import Lease
from svc_token.domain.member import MemberCap
from svc_token.domain.operations import Operation
from svc_token.domain.owner import PoolKey
from svc_token.domain.pool import Pool
from svc_token.domain.provider import ProviderFacts
from svc_token.domain.reservation import Reservation
from svc_token.domain.shards import ALL
from svc_token.domain.window import Window


class Ledger(Protocol):
    """Operations on balances; each is durable, exactly once, when it returns."""

    def submit(self, operation: Operation) -> Awaitable[Reservation | None]:
        """The reservation after the operation.

        Raises InsufficientTokensError, MemberCapExceededError, ReservationNotFoundError,
        ReservationConflictError or, with an answer, ClaimLostError, and then
        nothing has changed; AppError UNAVAILABLE when the store is away,
        OVERLOADED when its queue is full.
        """
        ...


class Pools(Protocol):
    """Pools as they are read and set up."""

    async def find(self, key: PoolKey) -> Pool | None:
        """The pool as last written, which may be in an earlier window."""
        ...

    async def create(self, pool: Pool, *, answer: Answer | None = None) -> bool:
        """Makes a pool, and keeps `answer`; False when the owner has one at this provider."""
        ...

    async def set_allowance(
        self, key: PoolKey, allowance: int, *, window: Window, now_us: int
    ) -> Pool | None:
        """The pool with another allowance; None when there is none."""
        ...

    async def reservations(self, id_: str) -> Sequence[Reservation]:
        """Those of this id, of whichever owners."""
        ...

    async def orphans(self, before_us: int, limit: int) -> Sequence[Reservation]:
        """Reservations whose time was up before a moment, oldest first."""
        ...


class MemberCaps(Protocol):
    """What single members may take of their organisation's pools."""

    async def put(self, cap: MemberCap) -> MemberCap | None:
        """The cap from now on, with what the member has used of its window; None without pool.

        It is kept in the window of its pool, and given back in the asker's, if that is later.
        """
        ...

    async def remove(self, key: PoolKey, user_id: str) -> bool:
        """No cap any more; False when there was none."""
        ...

    async def all(self, key: PoolKey) -> Sequence[MemberCap]:
        """The caps inside a pool as last written, by user."""
        ...


class Outbox(Protocol):
    """Committed events on their way out."""

    async def pending(self, limit: int, *, shards: Collection[int] = ALL) -> Sequence[OutboxRow]:
        """The oldest rows of these shards that may go.

        Those of a key and topic wait for a parked row of both.
        """
        ...

    async def delivered(self, seqs: Sequence[int]) -> None:
        """These need not be sent again."""
        ...

    async def park(self, seqs: Sequence[int], now_us: int) -> None:
        """Sets rows aside that no receiver takes; their keys' later ones on the topic wait."""
        ...

    async def parked(self, limit: int, *, after: int = 0) -> Sequence[ParkedRow]:
        """Rows set aside in the order of their commits; from a `seq` on, exclusive."""
        ...

    async def requeue(self, event_ids: Collection[str] | None) -> Sequence[str]:
        """Parked rows may go again, all for None; the ids of those that were parked."""
        ...

    async def depth(self) -> int:
        """How many rows wait; parked ones do not."""
        ...

    async def backlog(self) -> Backlog:
        """What is not delivered, in figures."""
        ...


class Leases(Protocol):
    """Things that one holder at a time looks after, in groups, by name.

    Times are the holders' own, whose clocks may differ by less than a lease's
    reserve; AppError UNAVAILABLE when the store is away.
    """

    async def share(
        self, group: str, names: Sequence[str], holder: str, *, now_us: int, until_us: int
    ) -> Sequence[Lease]:
        """A holder's turn: its fair share of the names, among all who are alive, until then.

        What is above it is given back, and what another holds is waited for:
        it may be there at the next turn. A holder is alive until its `until_us`.
        """
        ...

    async def give_back(self, group: str, names: Sequence[str], holder: str) -> None:
        """Nothing of the group is this holder's any more, and it does not count as alive."""
        ...


class IdempotencyKeys(Protocol):
    """Who is at the keys that clients sent; an answer is kept by the effect's own transaction.

    AppError UNAVAILABLE when the store is away.
    """

    async def claim(
        self, key: Key, fingerprint: bytes, *, id_: str, now_us: int, lease_until_us: int
    ) -> Claim:
        """What stands under the key: `id_`'s claim when nothing did, which is the asker's then.

        So is one that was left behind unanswered: its lease has ended, and the
        request was the same. Times are the askers' own; their clocks' difference
        only says when that is.
        """
        ...

    async def drop(self, claim: Claim) -> bool:
        """Forgets a claim that nothing came of; may be asked again when an answer is missing.

        False when somebody else has taken it over and is at it, or has answered:
        what its id names is theirs.
        """
        ...

    async def prune(self, before_us: int, limit: int) -> int:
        """Forgets keys whose leases ended before a moment; how many."""
        ...


class Buckets(Protocol):
    """Rate buckets; each verb decides in one step."""

    async def take(self, key: str, cost: int, rule: BucketRule) -> Decision:
        """Takes `cost` tokens when they fit; the cost is at most the capacity.

        AppError UNAVAILABLE, as of the other verbs, when the store is away; it
        may have taken them all the same.
        """
        ...

    async def refund(self, key: str, cost: int, rule: BucketRule, *, taken: Taken) -> None:
        """Puts back what a decision says was taken, but for what may have drained since.

        However late, the bucket is never emptier than if nothing had been taken.
        """
        ...

    async def peek(self, key: str, rule: BucketRule) -> Decision:
        """How the bucket stands; nothing is written."""
        ...


class RejectedBatchError(Exception):
    """The receiver will never take these messages as they are."""


class RefusedTopicsError(RejectedBatchError):
    """The receiver has not got these topics, or will not take anything for them."""

    def __init__(self, topics: Collection[str]) -> None:
        super().__init__(", ".join(sorted(topics)))
        self.topics = frozenset(topics)


class EventSink(Protocol):
    """Where committed events go."""

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        """Returns when all are durable there.

        Raises RejectedBatchError, RefusedTopicsError where all is the topics'
        fault, or AppError when it is to be tried later.
        """
        ...


class DeniedEvents(Protocol):
    """The best-effort way of events that say no."""

    def offer(self, event: UsageEvent) -> None:
        """Queues an event, or drops it when too many wait."""
        ...


class Roles(Protocol):
    """What a user is."""

    async def of(self, user_id: str) -> frozenset[str]:
        """Role names; none for a user that is not known. AppError UNAVAILABLE when unsure."""
        ...


class Providers(Protocol):
    """Paid AI providers."""

    async def complete(
        self, provider: str, *, prompt: str | None, tokens: int, request_id: str
    ) -> bytes:
        """The provider's JSON. Raises AppError PROVIDER_CALL_FAILED."""
        ...


class Limits(Protocol):
    """The live settings, as the domain's own values."""

    def provider(self, name: str) -> None:
        """Raises AppError UNKNOWN_PROVIDER for one that is not configured."""
        ...

    def usable(self, name: str) -> None:
        """As `provider`, and AppError PROVIDER_DISABLED for one that is switched off."""
        ...

    def facts(self, name: str) -> ProviderFacts | None:
        """What is told of a provider; None for one that is not configured."""
        ...

    def bucket(self, roles: frozenset[str], provider: str) -> BucketRule:
        """The rate bucket that someone with these roles has at a provider."""
        ...

    def allowance(self, roles: frozenset[str]) -> int:
        """The tokens a window that these roles give."""
        ...

    def window(self, now_us: int) -> Window:
        """The window that a moment falls into."""
        ...

    @property
    def claim_us(self) -> int:
        """How long an effect under an idempotency key is its first asker's alone."""
        ...

    @property
    def answers_kept_us(self) -> int:
        """How long an answer is kept under its idempotency key."""
        ...

    @property
    def hold_us(self) -> int:
        """How long a consume's reservation lives."""
        ...

    @property
    def lease_us(self) -> int:
        """How long a purchase is one process' alone to advance."""
        ...

    @property
    def stale_us(self) -> int:
        """How long a purchase may stand still before it is called stale."""
        ...

    @property
    def buckets_fail_open(self) -> bool:
        """Whether calls go on while no bucket can be asked."""
        ...

    @property
    def quotas_enforced(self) -> bool:
        """Whether pools are asked at all."""
        ...

    @property
    def purchases_enabled(self) -> bool:
        """Whether tokens may be bought."""
        ...

    @property
    def purchases_fail(self) -> bool:
        """The switch that makes every purchase fail after its authorisation."""
        ...


class Visibility(Protocol):
    """Whose data a caller may see where no rule of the method says it."""

    async def may_see(
        self,
        principal: Principal,
        *,
        user_id: str,
        org_id: str | None,
        standings: Collection[str] = (),
    ) -> bool:
        """The user itself, a member of the organisation, an ADMIN; anyone in `local`.

        With `standings` a member must be one of these.
        """
        ...
