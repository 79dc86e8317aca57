"""A working set of pools and reservations that operations are applied to, one after another.

A store loads what a batch of operations needs, applies them here in order and
writes what `changes` names, all in one transaction. Nothing here awaits, so
the decisions of a batch are one step.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from svc_token.domain.entry import Entry, Kind, Note, Provenance, entry_between
from svc_token.domain.events import Event
from svc_token.domain.idempotency import Answer, ClaimLostError, Key
from svc_token.domain.member import MemberCap
from svc_token.domain.operations import (
    Adjust,
    Buy,
    Emit,
    MemberKey,
    OnPool,
    OnReservation,
    Open,
    Operation,
    Release,
    ReservationKey,
    Reserve,
    Settle,
)
from svc_token.domain.owner import OwnerKind, PoolKey
from svc_token.domain.pool import (
    InsufficientTokensError,
    Pool,
    PoolExistsError,
    PoolNotFoundError,
)
from svc_token.domain.reservation import (
    Reservation,
    ReservationConflictError,
    ReservationNotFoundError,
    State,
)
from svc_token.domain.window import Window


@dataclass(slots=True)
class Book:
    """What is loaded, and what has changed of it since."""

    pools: dict[PoolKey, Pool] = field(default_factory=dict)
    reservations: dict[ReservationKey, Reservation] = field(default_factory=dict)
    caps: dict[MemberKey, MemberCap] = field(default_factory=dict)
    # The ids of effects that are claimed and have no answer yet.
    claims: dict[Key, str] = field(default_factory=dict)
    changed_pools: set[PoolKey] = field(default_factory=set)
    changed_reservations: set[ReservationKey] = field(default_factory=set)
    changed_caps: set[MemberKey] = field(default_factory=set)
    entries: list[Entry] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def apply(self, operation: Operation) -> Reservation | None:
        """Does one operation; an error of the domain leaves the book as it was."""
        match operation:
            case Reserve():
                return self._reserve(operation)
            case Settle():
                return self._settle(operation)
            case Release():
                return self._release(operation)
            case Open():
                self._open(operation)
            case Adjust():
                self._adjust(operation)
            case Buy():
                self._buy(operation)
            case Emit():
                self._claimed(operation.answer)
                self._tell(operation.event, operation.answer)
        return None

    def _reserve(self, op: Reserve) -> Reservation:
        known = self.reservations.get((op.pool.owner, op.id))
        if known is not None:
            if known.pool != op.pool or not known.is_for(op.user_id, op.tokens):
                raise ReservationConflictError
            return replace(known, repeated=True)
        pool, hold = self._opened(op).hold(op.tokens)
        # After the pool: who asks for more than there is learns that first.
        self._hold_of_member(op, pool.window)
        note = Note(
            kind=Kind.RESERVE,
            tokens=op.tokens,
            at_us=op.now_us,
            ref=op.id,
            user_id=op.user_id,
            held=op.tokens,
            provenance=Provenance.ESTIMATED,
        )
        pool = self._post(pool, op.window, op.now_us, note)
        return self._keep(
            Reservation(
                id=op.id,
                pool=op.pool,
                user_id=op.user_id,
                hold=hold,
                state=State.RESERVED,
                expires_us=op.expires_us,
                remaining=pool.remaining,
                bucket_us=op.bucket_us,
            )
        )

    def _opened(self, op: Reserve) -> Pool:
        pool = self.pools.get(op.pool)
        if pool is None:
            if op.allowance is None:
                raise InsufficientTokensError
            # Made by the first use, also one that is refused.
            pool = self._opening(_new(op, op.allowance), op.now_us)
        if op.allowance is not None:
            pool = pool.allowing(op.allowance)
        return pool.renewed(op.window)

    def _settle(self, op: Settle) -> Reservation:
        reservation = self._find(op)
        if reservation.state is State.SETTLED and reservation.settled == op.tokens:
            return replace(reservation, repeated=True)
        self._claimed(op.answer)
        if not reservation.state.may_settle:
            raise ReservationConflictError
        pool = self.pools[reservation.pool].renewed(op.window)
        held = reservation.held
        if op.tokens <= held:
            pool = pool.give_back(reservation.hold, held - op.tokens)
        else:
            pool = pool.charge(op.tokens - held)[0]
        note = Note(
            kind=Kind.SETTLE,
            tokens=op.tokens,
            at_us=op.now_us,
            ref=op.id,
            user_id=reservation.user_id,
            held=-held,
            provenance=op.provenance,
            event_id=op.event.event_id,
        )
        pool = self._post(pool, op.window, op.now_us, note)
        self._end_of_member(reservation)
        self._tell(op.event, op.answer)
        return self._keep(reservation.ended(State.SETTLED, pool.remaining, settled=op.tokens))

    def _release(self, op: Release) -> Reservation:
        reservation = self._find(op)
        if reservation.state in {State.RELEASED, State.EXPIRED}:
            return replace(reservation, repeated=True)
        if reservation.state is State.SETTLED:
            raise ReservationConflictError
        held = reservation.held
        pool = self.pools[reservation.pool].renewed(op.window).give_back(reservation.hold, held)
        note = Note(
            kind=Kind.EXPIRE if op.expired else Kind.RELEASE,
            tokens=held,
            at_us=op.now_us,
            ref=op.id,
            user_id=reservation.user_id,
            held=-held,
            provenance=Provenance.MISSING if op.expired else Provenance.EXACT,
        )
        pool = self._post(pool, op.window, op.now_us, note)
        self._end_of_member(reservation)
        state = State.EXPIRED if op.expired else State.RELEASED
        return self._keep(reservation.ended(state, pool.remaining))

    def _find(self, op: Settle | Release) -> Reservation:
        reservation = self.reservations.get((op.pool.owner, op.id))
        if reservation is None:
            raise ReservationNotFoundError(op.id)
        if reservation.pool != op.pool:
            raise ReservationConflictError
        return reservation

    def _open(self, op: Open) -> None:
        if op.pool in self.pools:
            raise PoolExistsError
        self._claimed(op.answer)
        self._opening(op.opened, op.opened.updated_us)
        self._answer(op.answer)

    def _adjust(self, op: Adjust) -> None:
        if op.pool not in self.pools:
            raise PoolNotFoundError
        pool = self.pools[op.pool].allowing(op.allowance).renewed(op.window)
        self._post(pool, op.window, op.now_us)

    def _buy(self, op: Buy) -> None:
        pool = self.pools.get(op.pool) or self._opening(_new(op, op.allowance), op.now_us)
        note = Note(
            kind=Kind.PURCHASE, tokens=op.tokens, at_us=op.now_us, ref=op.id, user_id=op.user_id
        )
        self._post(pool.renewed(op.window).bought(op.tokens), op.window, op.now_us, note)

    def _hold_of_member(self, op: Reserve, window: int) -> None:
        cap = self.caps.get((op.pool, op.user_id))
        if cap is not None:
            self._put_cap(cap.renewed(window).hold(op.tokens), op.now_us)

    def _end_of_member(self, reservation: Reservation) -> None:
        cap, line = self.caps.get((reservation.pool, reservation.user_id)), self.entries[-1]
        if cap is not None:
            self._put_cap(cap.after(line, begun=reservation.hold.window), line.note.at_us)

    def _put_cap(self, cap: MemberCap, now_us: int) -> None:
        key = (cap.pool, cap.user_id)
        self.caps[key] = replace(cap, updated_us=now_us)
        self.changed_caps.add(key)

    def _opening(self, pool: Pool, now_us: int) -> Pool:
        nothing = Pool(key=pool.key, window=pool.window, allowance=0)
        return self._line(nothing, pool, Note(Kind.ADJUST, pool.allowance, now_us))

    def _post(self, pool: Pool, window: Window, now_us: int, note: Note | None = None) -> Pool:
        """The pool is now this: a line for another allowance, one for a new window, one for `note`.

        Without a note, the first two are all that there is.
        """
        before = self.pools[pool.key]
        allowing = before.allowing(pool.allowance)
        renewed = allowing.renewed(window)
        if allowing is not before:
            more = allowing.allowance - before.allowance
            before = self._line(before, allowing, Note(Kind.ADJUST, more, now_us))
        if renewed is not allowing:
            before = self._line(before, renewed, Note(Kind.RENEW, renewed.allowance, now_us))
        return before if note is None else self._line(before, pool, note)

    def _line(self, before: Pool, after: Pool, note: Note) -> Pool:
        entry = entry_between(before, after, note)
        self.entries.append(entry)
        after = after.written(entry.seq, note.at_us)
        self.pools[after.key] = after
        self.changed_pools.add(after.key)
        return after

    def _claimed(self, answer: Answer | None) -> None:
        # Who has lost the key must not charge beside who has it now.
        if answer is not None and self.claims.get(answer.key) != answer.id:
            raise ClaimLostError

    def _tell(self, event: Event, answer: Answer | None) -> None:
        self.events.append(event)
        self._answer(answer)

    def _answer(self, answer: Answer | None) -> None:
        if answer is not None:
            del self.claims[answer.key]
            self.answers.append(answer)

    def _keep(self, reservation: Reservation) -> Reservation:
        key = (reservation.pool.owner, reservation.id)
        self.reservations[key] = reservation
        self.changed_reservations.add(key)
        return reservation


def _new(op: Reserve | Buy, allowance: int) -> Pool:
    return Pool(key=op.pool, window=op.window.id, allowance=allowance)


def pools_of(operations: Iterable[Operation]) -> list[PoolKey]:
    """The pools that a batch touches, in the order in which they are to be locked."""
    keys = {operation.pool for operation in operations if isinstance(operation, OnPool)}
    return sorted(keys, key=lambda key: (str(key.owner), key.provider))


def reservations_of(operations: Iterable[Operation]) -> list[ReservationKey]:
    """The reservations that a batch touches."""
    touched = {(op.pool.owner, op.id) for op in operations if isinstance(op, OnReservation)}
    return sorted(touched, key=lambda key: (str(key[0]), key[1]))


def keys_of(operations: Iterable[Operation]) -> list[Key]:
    """The idempotency keys whose answers a batch keeps."""
    answers = (op.answer for op in operations if isinstance(op, Settle | Open | Emit))
    keys = {answer.key for answer in answers if answer is not None}
    return sorted(keys, key=lambda key: (key.scope, key.operation, key.key))


def members_of(
    operations: Iterable[Operation], reservations: Iterable[Reservation]
) -> list[MemberKey]:
    """The members of organisations whose caps a batch touches."""
    touched: list[Reserve | Reservation] = [op for op in operations if isinstance(op, Reserve)]
    touched += reservations
    members = {(one.pool, one.user_id) for one in touched if one.pool.owner.kind is OwnerKind.ORG}
    return sorted(members, key=lambda key: (str(key[0].owner), key[0].provider, key[1]))
