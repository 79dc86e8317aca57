"""A member's cap, counted as operations go along and counted again from the ledger's lines."""

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from svc_token.domain.book import Book
from svc_token.domain.entry import Entry, Kind
from svc_token.domain.events import UsageEvent
from svc_token.domain.member import MemberCap, Tally
from svc_token.domain.operations import Open, Release, Reserve, Settle
from svc_token.domain.owner import Owner, OwnerKind, PoolKey
from svc_token.domain.pool import InsufficientTokensError, Pool
from svc_token.domain.reservation import ReservationConflictError, ReservationNotFoundError
from svc_token.domain.window import Window

ORG = PoolKey(Owner(OwnerKind.ORG, "o"), "openai")
MEMBERS = ("u", "v")
STORIES = {Kind.RESERVE, Kind.SETTLE, Kind.RELEASE, Kind.EXPIRE}
EVENT = UsageEvent(
    event_id="e",
    user_id="u",
    org_id="o",
    provider="openai",
    tokens=1,
    allowed=True,
    reason="",
    at_us=0,
)
# A member reserves, a reservation ends in one way or another, or a window passes.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), st.sampled_from(MEMBERS), st.integers(1, 60)),
        st.tuples(st.just("settle"), st.integers(0, 12), st.integers(0, 90)),
        st.tuples(st.sampled_from(["release", "expire"]), st.integers(0, 12), st.just(0)),
        st.tuples(st.just("pass"), st.just(0), st.just(0)),
    ),
    max_size=40,
)


def done(book: Book, number: int, step: tuple[str, str | int, int], window: Window) -> None:
    what, which, tokens = step
    if what == "reserve":
        book.apply(
            Reserve(
                id=f"{number}",
                pool=ORG,
                user_id=str(which),
                tokens=tokens,
                allowance=None,
                window=window,
                now_us=0,
                expires_us=1,
            )
        )
    elif what == "settle":
        book.apply(
            Settle(id=f"{which}", pool=ORG, tokens=tokens, event=EVENT, window=window, now_us=0)
        )
    else:
        book.apply(
            Release(id=f"{which}", pool=ORG, window=window, now_us=0, expired=what == "expire")
        )


def played(steps: list[tuple[str, str | int, int]]) -> Book:
    """A book whose members have caps that are never reached."""
    book, window = Book(), Window(1, 1)
    book.apply(Open(opened=Pool(key=ORG, window=1, allowance=500)))
    for user in MEMBERS:
        book.caps[ORG, user] = MemberCap(pool=ORG, user_id=user, cap=10_000, window=1)
    for number, step in enumerate(steps):
        if step[0] == "pass":
            window = Window(window.id + 1, 1)
            continue
        with suppress(InsufficientTokensError, ReservationConflictError, ReservationNotFoundError):
            done(book, number, step, window)
    return book


def lines_of(book: Book, window: int) -> list[Entry]:
    return [line for line in book.entries if line.window == window and line.note.kind in STORIES]


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, cut=st.integers(0, 40))
def test_the_ledger_s_lines_come_to_what_was_counted_as_they_were_written(
    steps: list[tuple[str, str | int, int]], cut: int
) -> None:
    book = played(steps)
    for cap in book.caps.values():
        lines, tally = lines_of(book, cap.window), Tally(window=cap.window)
        tally.add(lines[:cut])
        more = tally.copy()
        more.add(lines[cut:])
        assert more.used(cap.user_id) == cap.used == summed(book, cap)


def summed(book: Book, cap: MemberCap) -> int:
    """The same in other words: what each reservation took and kept in the window, added up."""
    begun = {line.note.ref: line.window for line in book.entries if line.note.kind is Kind.RESERVE}
    total = 0
    for line in lines_of(book, cap.window):
        if line.note.user_id == cap.user_id:
            used = line.note.tokens if line.note.kind is Kind.SETTLE else 0
            change = line.note.held + used
            total += change if begun[line.note.ref] == cap.window else max(0, change)
    return total


def test_a_copy_of_a_tally_goes_its_own_way() -> None:
    book = played([("reserve", "u", 10), ("reserve", "u", 5), ("release", 0, 0)])
    tally = Tally(window=1)
    tally.add(lines_of(book, 1)[:2])
    tally.copy().add(lines_of(book, 1)[2:])
    assert (tally.used("u"), tally.used("nobody")) == (15, 0)
