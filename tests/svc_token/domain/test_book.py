"""Pools and reservations against a plain model of what is owned and what is held."""

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from svc_token.domain.book import Book
from svc_token.domain.events import UsageEvent
from svc_token.domain.member import MemberCap, MemberCapExceededError
from svc_token.domain.operations import Buy, Open, Release, Reserve, Settle
from svc_token.domain.owner import Owner, OwnerKind, PoolKey
from svc_token.domain.pool import InsufficientTokensError, Pool
from svc_token.domain.reservation import ReservationConflictError, State
from svc_token.domain.window import Window

KEY = PoolKey(Owner(OwnerKind.USER, "u"), "openai")
ALLOWANCE = 100


def event() -> UsageEvent:
    return UsageEvent(
        event_id="e",
        user_id="u",
        org_id=None,
        provider="openai",
        tokens=1,
        allowed=True,
        reason="",
        at_us=0,
    )


class Books(RuleBasedStateMachine):
    """Any order of operations, over any number of windows."""

    holds = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.window = Window(1, 1000)
        self.count = 0
        self.granted: dict[str, int] = {}
        self.settled_here = 0
        self.bought = 0

    @rule(target=holds, tokens=st.integers(1, 120))
    def reserve(self, tokens: int) -> str:
        self.count += 1
        name = str(self.count)
        before = self.book.pools.get(KEY)
        try:
            self.book.apply(self._reserve(name, tokens))
        except InsufficientTokensError:
            if before is not None:
                now = before.allowing(ALLOWANCE).renewed(self.window)
                assert tokens > now.remaining
            return name
        self.granted[name] = tokens
        return name

    def _reserve(self, name: str, tokens: int) -> Reserve:
        return Reserve(
            id=name,
            pool=KEY,
            user_id="u",
            tokens=tokens,
            allowance=ALLOWANCE,
            window=self.window,
            now_us=0,
            expires_us=10,
        )

    @rule(name=holds, share=st.floats(0, 1.5))
    def settle(self, name: str, share: float) -> None:
        if name not in self.granted:
            return
        before = self.book.reservations[KEY.owner, name]
        tokens = int(self.granted[name] * share)
        op = Settle(id=name, pool=KEY, tokens=tokens, event=event(), window=self.window, now_us=0)
        emitted = len(self.book.events)
        try:
            self.book.apply(op)
        except ReservationConflictError:
            assert before.state in {State.RELEASED, State.SETTLED}
            assert len(self.book.events) == emitted
            return
        first = before.state is not State.SETTLED
        assert len(self.book.events) == emitted + first

    @rule(name=holds, expired=st.booleans())
    def release(self, name: str, expired: bool) -> None:  # noqa: FBT001 hypothesis passes it
        if name not in self.granted:
            return
        before = self.book.reservations[KEY.owner, name]
        op = Release(id=name, pool=KEY, window=self.window, now_us=0, expired=expired)
        try:
            self.book.apply(op)
        except ReservationConflictError:
            assert before.state is State.SETTLED

    @rule(tokens=st.integers(1, 50))
    def buy(self, tokens: int) -> None:
        self.count += 1
        self.bought += tokens
        buy = Buy(
            id=f"saga-{self.count}",
            pool=KEY,
            user_id="u",
            tokens=tokens,
            allowance=ALLOWANCE,
            window=self.window,
            now_us=0,
        )
        self.book.apply(buy)

    @rule()
    def next_window(self) -> None:
        self.window = Window(self.window.id + 1, 1000)

    @invariant()
    def nothing_is_negative_and_holds_are_covered(self) -> None:
        pool = self.book.pools.get(KEY)
        if pool is None:
            return
        assert pool.allowance_used >= 0
        assert 0 <= pool.purchased_used <= pool.purchased == self.bought
        assert pool.debt >= 0
        assert not (pool.debt and pool.allowance_left + pool.purchased_left)
        held = [one.hold for one in self.book.reservations.values() if one.state is State.RESERVED]
        assert sum(hold.purchased for hold in held) <= pool.purchased_used
        here = sum(hold.allowance for hold in held if hold.window == pool.window)
        assert here <= pool.allowance_used <= pool.allowance

    @invariant()
    def the_lines_add_up_to_the_balances(self) -> None:
        lines = self.book.entries
        pool = self.book.pools.get(KEY)
        if pool is None:
            assert not lines
            return
        assert [line.seq for line in lines] == list(range(1, pool.seq + 1))
        for balance in ("allowance", "allowance_used", "purchased", "purchased_used", "debt"):
            assert sum(getattr(line, balance) for line in lines) == getattr(pool, balance)
        held = sum(reservation.held for reservation in self.book.reservations.values())
        assert sum(line.note.held for line in lines) == held

    @invariant()
    def nothing_ends_twice(self) -> None:
        ends = Counter(
            (line.note.ref, line.note.kind) for line in self.book.entries if line.note.ref
        )
        assert all(times == 1 for times in ends.values())
        charged = sum(line.note.tokens for line in self.book.entries if line.note.event_id)
        assert charged == sum(one.settled for one in self.book.reservations.values())


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_the_same_id_with_the_same_content_is_answered_again_and_takes_nothing() -> None:
    machine = Books()
    first = machine.book.apply(machine._reserve("a", 30))
    again = machine.book.apply(machine._reserve("a", 30))
    assert first == again
    assert machine.book.pools[KEY].remaining == ALLOWANCE - 30


def test_a_hold_of_a_window_that_has_passed_gives_nothing_back_to_the_next() -> None:
    machine = Books()
    machine.book.apply(machine._reserve("a", 60))
    later = Window(2, 1000)
    machine.book.apply(Release(id="a", pool=KEY, window=later, now_us=0))
    assert machine.book.pools[KEY].renewed(later).remaining == ALLOWANCE


def test_a_late_settle_is_charged_and_what_is_missing_becomes_a_debt_that_blocks() -> None:
    machine = Books()
    machine.book.apply(machine._reserve("late", 80))
    machine.book.apply(Release(id="late", pool=KEY, window=machine.window, now_us=0, expired=True))
    machine.book.apply(machine._reserve("other", 50))
    settle = Settle(id="late", pool=KEY, tokens=80, event=event(), window=machine.window, now_us=0)
    machine.book.apply(settle)
    pool = machine.book.pools[KEY]
    assert (pool.debt, pool.remaining) == (30, 0)
    assert pool.bought(100).remaining == 70
    assert pool.renewed(Window(2, 1000)).remaining == ALLOWANCE - 30


ORG = PoolKey(Owner(OwnerKind.ORG, "o"), "openai")


def org_book(cap: int) -> Book:
    book = Book()
    book.apply(Open(opened=Pool(key=ORG, window=1, allowance=1000)))
    book.caps[ORG, "u"] = MemberCap(pool=ORG, user_id="u", cap=cap, window=1)
    return book


def of_org(name: str, tokens: int, window: Window, user_id: str = "u") -> Reserve:
    return Reserve(
        id=name,
        pool=ORG,
        user_id=user_id,
        tokens=tokens,
        allowance=None,
        window=window,
        now_us=0,
        expires_us=10,
    )


def test_a_member_takes_no_more_than_its_cap_and_what_it_gives_back_it_may_take_again() -> None:
    book, window = org_book(100), Window(1, 1000)
    book.apply(of_org("a", 70, window))
    with pytest.raises(MemberCapExceededError):
        book.apply(of_org("b", 31, window))
    assert book.pools[ORG].remaining == 930
    book.apply(of_org("other", 500, window, user_id="v"))
    book.apply(Settle(id="a", pool=ORG, tokens=20, event=event(), window=window, now_us=0))
    book.apply(of_org("c", 80, window))
    assert book.caps[ORG, "u"].used == 100
    book.apply(Release(id="c", pool=ORG, window=window, now_us=0))
    assert book.caps[ORG, "u"].used == 20


def test_a_members_cap_is_whole_in_a_new_window_and_old_holds_give_nothing_back_to_it() -> None:
    book = org_book(100)
    book.apply(of_org("a", 100, Window(1, 1000)))
    later = Window(2, 1000)
    book.apply(of_org("b", 60, later))
    book.apply(Release(id="a", pool=ORG, window=later, now_us=0))
    assert book.caps[ORG, "u"].used == 60


def test_a_cap_follows_the_pools_window_and_not_an_askers_late_clock() -> None:
    book, early, late = org_book(100), Window(1, 1000), Window(2, 1000)
    book.apply(of_org("other", 1, late, user_id="v"))
    book.apply(of_org("a", 100, early))
    with pytest.raises(MemberCapExceededError):
        book.apply(of_org("b", 1, late))


def test_what_is_given_back_pays_what_is_owed() -> None:
    book, window = Book(), Window(1, 1000)
    book.apply(
        Buy(id="s", pool=ORG, user_id="u", tokens=1000, allowance=0, window=window, now_us=0)
    )
    for name in ("a", "b"):
        book.apply(of_org(name, 500, window))
    book.apply(Settle(id="a", pool=ORG, tokens=510, event=event(), window=window, now_us=0))
    assert (book.pools[ORG].debt, book.pools[ORG].remaining) == (10, 0)
    book.apply(Release(id="b", pool=ORG, window=window, now_us=0))
    assert (book.pools[ORG].debt, book.pools[ORG].remaining) == (0, 490)
