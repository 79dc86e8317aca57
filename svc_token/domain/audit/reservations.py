"""A reservation against the lines that tell of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from svc_token.domain.audit.difference import Difference, Mismatch
from svc_token.domain.entry import Entry, Kind
from svc_token.domain.operations import Release, ReservationKey
from svc_token.domain.reservation import Reservation, State
from svc_token.domain.window import Window

# After its expiry a reservation is free within this time.
SWEPT_US = 10_000_000
_STORIES: Mapping[State, Sequence[tuple[Kind, ...]]] = {
    State.RESERVED: ((Kind.RESERVE,),),
    State.SETTLED: ((Kind.RESERVE, Kind.SETTLE), (Kind.RESERVE, Kind.EXPIRE, Kind.SETTLE)),
    State.RELEASED: ((Kind.RESERVE, Kind.RELEASE),),
    State.EXPIRED: ((Kind.RESERVE, Kind.EXPIRE),),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationAudit:
    """A reservation and its lines in the order of the ledger, of one moment."""

    key: ReservationKey
    reservation: Reservation | None
    lines: Sequence[Entry]


def reservation_differences(audit: ReservationAudit) -> Iterator[Difference]:
    """A story of lines that its state does not have, or tokens that are not the lines'."""
    owner, ref = audit.key
    subject = f"reservation {ref} of {owner}"
    one = audit.reservation
    if one is None:
        yield Difference(
            kind=Mismatch.RESERVATION_MISSING,
            subject=subject,
            expected=f"a reservation for the lines {_told(audit.lines)}",
            found="none",
        )
        return
    if not _fits(one, audit.lines):
        yield Difference(
            kind=Mismatch.RESERVATION_LINES,
            subject=subject,
            expected=f"the lines of a {one.state.value} one: {_stories(one.state)}",
            found=_told(audit.lines) or "no lines",
        )
        return
    for line in audit.lines:
        expected = _line_of(one, line)
        if expected != _line(line):
            yield Difference(
                kind=Mismatch.RESERVATION_TOKENS,
                subject=f"{subject}, line {line.seq} ({line.note.kind.value})",
                expected=_shown(expected),
                found=_shown(_line(line)),
            )


def orphan(reservation: Reservation, window: Window, now_us: int) -> Difference | None:
    """The difference that it is on hold although its time was up long ago."""
    late = now_us - reservation.expires_us
    if reservation.state is not State.RESERVED or late <= SWEPT_US:
        return None
    release = Release(
        id=reservation.id, pool=reservation.pool, window=window, now_us=now_us, expired=True
    )
    return Difference(
        kind=Mismatch.ORPHAN,
        subject=f"reservation {reservation.id} of {reservation.pool.owner}",
        expected="an end when its time is up",
        found=f"{reservation.held} tokens on hold {late // 1_000_000} s after that",
        repair=release,
    )


def _fits(one: Reservation, lines: Sequence[Entry]) -> bool:
    kinds = tuple(line.note.kind for line in lines)
    return kinds in _STORIES[one.state] or _ended_before_the_ledger(one, lines)


def _ended_before_the_ledger(one: Reservation, lines: Sequence[Entry]) -> bool:
    """What was over when the ledger opened has no lines, but may be settled late since.

    It has no answers kept either; and were they lines that are gone, then the
    pool's would have a gap.
    """
    if one.state is State.RESERVED or one.remaining or one.bucket_us:
        return False
    if not lines:
        return not one.end_remaining
    return one.state is State.SETTLED and [(line.note.kind, line.note.held) for line in lines] == [
        (Kind.SETTLE, 0)
    ]


# Provider, user, tokens and held: what a line has of its reservation.
_Line = tuple[str, str | None, int, int]


def _line(line: Entry) -> _Line:
    return line.pool.provider, line.note.user_id, line.note.tokens, line.note.held


def _line_of(one: Reservation, line: Entry) -> _Line:
    tokens = held = one.hold.tokens
    if line.note.kind is Kind.SETTLE:
        # After an expiry nothing was on hold any more.
        tokens, held = one.settled, 0 if line.note.held == 0 else held
    sign = 1 if line.note.kind is Kind.RESERVE else -1
    return one.pool.provider, one.user_id, tokens, sign * held


def _shown(line: _Line) -> str:
    provider, user, tokens, held = line
    return f"{tokens} tokens, {held:+d} on hold, {provider}, user {user}"


def _told(lines: Sequence[Entry]) -> str:
    return ", ".join(line.note.kind.value for line in lines)


def _stories(state: State) -> str:
    return " or ".join(", ".join(kind.value for kind in story) for story in _STORIES[state])
