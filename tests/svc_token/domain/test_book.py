"""Pools and reservations against a plain model of what is owned and what is held."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from svc_token.domain.book import Book, Release, Reserve, Settle
from svc_token.domain.events import UsageEvent
from svc_token.domain.owner import Owner, OwnerKind, PoolKey
from svc_token.domain.pool import InsufficientTokensError
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
        if KEY in self.book.pools:
            self.bought += tokens
            pool = self.book.pools[KEY].renewed(self.window)
            self.book.pools[KEY] = pool.bought(tokens)

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
        held = [one.hold for one in self.book.reservations.values() if one.state is State.RESERVED]
        assert sum(hold.purchased for hold in held) <= pool.purchased_used
        here = sum(hold.allowance for hold in held if hold.window == pool.window)
        assert here <= pool.allowance_used <= pool.allowance


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
