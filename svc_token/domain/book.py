"""A working set of pools and reservations that operations are applied to, one after another.

A store loads what a batch of operations needs, applies them here in order and
writes what `changes` names, all in one transaction. Nothing here awaits, so
the decisions of a batch are one step.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from svc_token.domain.events import Event
from svc_token.domain.owner import Owner, PoolKey
from svc_token.domain.pool import InsufficientTokensError, Pool
from svc_token.domain.reservation import (
    Reservation,
    ReservationConflictError,
    ReservationNotFoundError,
    State,
)
from svc_token.domain.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """Holds tokens.

    `allowance` is what the owner's tier gives; None leaves the pool's own, and
    such a pool must exist already.
    """

    id: str
    pool: PoolKey
    user_id: str
    tokens: int
    allowance: int | None
    window: Window
    now_us: int
    expires_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """Charges `tokens` of what a reservation holds, frees the rest and emits `event`."""

    id: str
    pool: PoolKey
    tokens: int
    event: Event
    window: Window
    now_us: int


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


Operation = Reserve | Settle | Release | Emit
# An id is the caller's own choice, so it names a reservation among its owner's only.
ReservationKey = tuple[Owner, str]


@dataclass(slots=True)
class Book:
    """What is loaded, and what has changed of it since."""

    pools: dict[PoolKey, Pool] = field(default_factory=dict)
    reservations: dict[ReservationKey, Reservation] = field(default_factory=dict)
    changed_pools: set[PoolKey] = field(default_factory=set)
    changed_reservations: set[ReservationKey] = field(default_factory=set)
    events: list[tuple[PoolKey | None, Event]] = field(default_factory=list)

    def apply(self, operation: Operation) -> Reservation | None:
        """Does one operation; an error of the domain leaves the book as it was."""
        match operation:
            case Reserve():
                return self._reserve(operation)
            case Settle():
                return self._settle(operation)
            case Release():
                return self._release(operation)
            case Emit():
                self.events.append((None, operation.event))
                return None

    def _reserve(self, op: Reserve) -> Reservation:
        known = self.reservations.get((op.pool.owner, op.id))
        if known is not None:
            if (known.pool, known.user_id, known.hold.tokens) != (op.pool, op.user_id, op.tokens):
                raise ReservationConflictError
            return known
        pool, hold = self._opened(op).hold(op.tokens)
        self._put(pool, op.now_us)
        return self._keep(
            Reservation(
                id=op.id,
                pool=op.pool,
                user_id=op.user_id,
                hold=hold,
                state=State.RESERVED,
                expires_us=op.expires_us,
            )
        )

    def _opened(self, op: Reserve) -> Pool:
        pool = self.pools.get(op.pool)
        if pool is None:
            if op.allowance is None:
                raise InsufficientTokensError
            pool = Pool(key=op.pool, window=op.window.id, allowance=op.allowance)
            # Made by the first use, also one that is refused.
            self._put(pool, op.now_us)
        if op.allowance is not None:
            pool = pool.allowing(op.allowance)
        return pool.renewed(op.window)

    def _settle(self, op: Settle) -> Reservation:
        reservation = self._find(op)
        if reservation.state is State.SETTLED and reservation.settled == op.tokens:
            return reservation
        pool = self.pools[reservation.pool].renewed(op.window)
        if reservation.state is State.RESERVED:
            pool = self._charge_hold(pool, reservation, op.tokens)
        elif reservation.state is State.EXPIRED:
            pool, _ = pool.charge(op.tokens)
        else:
            raise ReservationConflictError
        self._put(pool, op.now_us)
        self.events.append((op.pool, op.event))
        return self._keep(reservation.ended(State.SETTLED, op.tokens))

    def _charge_hold(self, pool: Pool, reservation: Reservation, tokens: int) -> Pool:
        held = reservation.hold.tokens
        if tokens <= held:
            return pool.give_back(reservation.hold, held - tokens)
        return pool.charge(tokens - held)[0]

    def _release(self, op: Release) -> Reservation:
        reservation = self._find(op)
        if reservation.state in {State.RELEASED, State.EXPIRED}:
            return reservation
        if reservation.state is State.SETTLED:
            raise ReservationConflictError
        pool = self.pools[reservation.pool].renewed(op.window)
        self._put(pool.give_back(reservation.hold, reservation.hold.tokens), op.now_us)
        return self._keep(reservation.ended(State.EXPIRED if op.expired else State.RELEASED))

    def _find(self, op: Settle | Release) -> Reservation:
        reservation = self.reservations.get((op.pool.owner, op.id))
        if reservation is None:
            raise ReservationNotFoundError(op.id)
        if reservation.pool != op.pool:
            raise ReservationConflictError
        return reservation

    def _put(self, pool: Pool, now_us: int) -> None:
        self.pools[pool.key] = replace(pool, updated_us=now_us)
        self.changed_pools.add(pool.key)

    def _keep(self, reservation: Reservation) -> Reservation:
        key = (reservation.pool.owner, reservation.id)
        self.reservations[key] = reservation
        self.changed_reservations.add(key)
        return reservation


def pools_of(operations: Iterable[Operation]) -> list[PoolKey]:
    """The pools that a batch touches, in the order in which they are to be locked."""
    keys = {operation.pool for operation in operations if not isinstance(operation, Emit)}
    return sorted(keys, key=lambda key: (str(key.owner), key.provider))


def reservations_of(operations: Iterable[Operation]) -> list[ReservationKey]:
    """The reservations that a batch touches."""
    touched = {(op.pool.owner, op.id) for op in operations if not isinstance(op, Emit)}
    return sorted(touched, key=lambda key: (str(key[0]), key[1]))
