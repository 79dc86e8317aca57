"""The checker finds what is wrong: one planted bug after another in books that are right."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.books import Books, ProviderCall
from tests.faults.checks import SWEPT_SECONDS, Finding, Wrong, check, late_seconds, uncharged
from tests.faults.history import Kind, Op, Outcome
from tests.faults.watch import STORE, Stretch, Watch

USER = "8f0c8d9e-0000-4000-8000-000000000001"
POOL = {"owner": f"user:{USER}", "provider": "openai"}
ALLOWANCE = 100
BOUGHT = 30


def op(kind: Kind, ref: str, tokens: int, outcome: Outcome = Outcome.DONE, **more: Any) -> Op:
    return Op(kind=kind, user_id=USER, tokens=tokens, ref=ref, outcome=outcome, **more)


def line(seq: int, kind: str, ref: str | None, tokens: int, **deltas: Any) -> dict[str, Any]:
    nothing = {"allowance": 0, "allowance_used": 0, "purchased": 0, "purchased_used": 0, "debt": 0}
    event = f"event-{ref}" if kind == "settle" else None
    row = {"seq": seq, "kind": kind, "ref": ref, "tokens": tokens, "event_id": event, "at_us": 0}
    return {**POOL, **row, **nothing, **deltas}


# One consume, one reservation that was settled and one let go, one purchase.
OPS = [
    op(Kind.CONSUME, "mark", 10),
    op(Kind.RESERVE, "kept", 20),
    op(Kind.SETTLE, "kept", 15),
    op(Kind.RESERVE, "let-go", 5),
    op(Kind.RELEASE, "let-go", 5),
    op(Kind.PURCHASE, "key", BOUGHT, said=("saga", "saga")),
    op(Kind.CONSUME, "nobody-knows", 7, Outcome.UNKNOWN),
    op(Kind.CONSUME, "too-much", 99, Outcome.REFUSED, why="INSUFFICIENT_QUOTA"),
]
LEDGER = [
    line(1, "adjust", None, ALLOWANCE, allowance=ALLOWANCE),
    line(2, "reserve", "hold", 10, allowance_used=10),
    line(3, "settle", "hold", 10),
    line(4, "reserve", "kept", 20, allowance_used=20),
    line(5, "settle", "kept", 15, allowance_used=-5),
    line(6, "reserve", "let-go", 5, allowance_used=5),
    line(7, "release", "let-go", 5, allowance_used=-5),
    line(8, "purchase", "saga", BOUGHT, purchased=BOUGHT),
]
SETTLED = {"state": "SETTLED", "expires_us": 0}
BOOKS = Books(
    pools=[
        {
            **POOL,
            "seq": 8,
            "allowance": ALLOWANCE,
            "allowance_used": 25,
            "purchased": BOUGHT,
            "purchased_used": 0,
            "debt": 0,
        }
    ],
    reservations=[{"id": "hold", **SETTLED}, {"id": "kept", **SETTLED}],
    ledger=LEDGER,
    sagas=[
        {
            "id": "saga",
            "scope": USER,
            "user_id": USER,
            "idempotency_key": "key",
            "step": "NONE",
            "status": "COMPLETED",
        }
    ],
    payments=[{"id": "saga", "state": "CAPTURED", "tokens": BOUGHT}],
    events=[
        {"event_id": "event-hold", "tokens": 10, "allowed": True},
        {"event_id": "event-kept", "tokens": 15, "allowed": True},
        {"event_id": "said-no", "tokens": 99, "allowed": False},
    ],
    calls=[ProviderCall(mark="mark", request_id="hold")],
)


def found(
    books: Books = BOOKS, ops: list[Op] = OPS, watched: Sequence[Stretch] = ()
) -> list[Finding]:
    return check(ops, books, allowance=ALLOWANCE, watched=watched)


def without(rows: Any, **values: Any) -> list[Any]:
    return [row for row in rows if any(row[name] != value for name, value in values.items())]


def changed(rows: Any, number: int, **values: Any) -> list[Mapping[str, Any]]:
    return [{**row, **values} if at == number else row for at, row in enumerate(rows)]


def test_books_that_are_right_are_found_right() -> None:
    assert found() == []


def test_what_nobody_knows_may_have_been_done_or_not() -> None:
    unknown = [replace(each, outcome=Outcome.UNKNOWN, said=()) for each in OPS]
    assert found(ops=unknown) == []
    assert found(Books(), unknown) == []


def test_what_the_provider_answered_to_a_process_that_died_is_told_and_is_no_violation() -> None:
    calls = [*BOOKS.calls, ProviderCall(mark="nobody-knows", request_id="swept")]
    assert found(replace(BOOKS, calls=calls)) == []
    assert uncharged(OPS, replace(BOOKS, calls=calls)) == 1
    assert uncharged(OPS, BOOKS) == 0


def _lost_settle(books: Books) -> Books:
    gone = [line for line in books.ledger if line["ref"] != "hold"]
    numbered = [{**line, "seq": seq} for seq, line in enumerate(gone, 1)]
    pools = changed(books.pools, 0, seq=6, allowance_used=15)
    return replace(books, ledger=numbered, pools=pools, events=books.events[1:])


BUGS: dict[str, tuple[Wrong, Callable[[Books], Books]]] = {
    "an answered consume is lost": (Wrong.LOST, _lost_settle),
    "an answered consume was charged less": (
        Wrong.LOST,
        lambda books: replace(books, ledger=changed(books.ledger, 2, tokens=9)),
    ),
    "an answered settle is lost": (
        Wrong.LOST,
        lambda books: replace(books, ledger=changed(books.ledger, 4, kind="expire", event_id=None)),
    ),
    "an answered reservation is lost": (
        Wrong.LOST,
        lambda books: replace(books, ledger=changed(books.ledger, 3, ref="another")),
    ),
    "an answered release is lost": (
        Wrong.LOST,
        lambda books: replace(books, ledger=changed(books.ledger, 6, ref="another")),
    ),
    "a line is lost": (
        Wrong.LOST,
        lambda books: replace(books, ledger=[*books.ledger[:5], *books.ledger[7:]]),
    ),
    "a charge is in the ledger and not in the pool": (
        Wrong.LOST,
        lambda books: replace(books, pools=changed(books.pools, 0, allowance_used=15)),
    ),
    "a pool is gone": (Wrong.LOST, lambda books: replace(books, pools=[])),
    "a reservation never came free": (
        Wrong.LOST,
        lambda books: replace(
            books, reservations=[{"id": "orphan", "state": "RESERVED", "expires_us": 0}]
        ),
    ),
    "an event never reached analytics": (
        Wrong.LOST,
        lambda books: replace(books, events=books.events[1:]),
    ),
    "an event never left the outbox": (
        Wrong.LOST,
        lambda books: replace(books, waiting=[{"event_id": "event-hold"}]),
    ),
    "an answered purchase is lost": (
        Wrong.LOST,
        lambda books: replace(books, sagas=changed(books.sagas, 0, id="another")),
    ),
    "a purchase stands still": (
        Wrong.LOST,
        lambda books: replace(books, sagas=changed(books.sagas, 0, step="CAPTURE")),
    ),
    "money was taken for a purchase that failed": (
        Wrong.LOST,
        lambda books: replace(books, sagas=changed(books.sagas, 0, status="FAILED")),
    ),
    "money was taken and no tokens given": (
        Wrong.LOST,
        lambda books: replace(
            books, ledger=books.ledger[:7], pools=changed(books.pools, 0, seq=7, purchased=0)
        ),
    ),
    "money is held for good": (
        Wrong.LOST,
        lambda books: replace(
            books, payments=[*books.payments, {"id": "x", "state": "AUTHORIZED", "tokens": 1}]
        ),
    ),
    "the provider was called twice": (
        Wrong.DOUBLE,
        lambda books: replace(books, calls=[*books.calls, *books.calls]),
    ),
    "a refused consume was charged": (
        Wrong.DOUBLE,
        lambda books: replace(books, calls=[ProviderCall(mark="too-much", request_id="kept")]),
    ),
    "a reservation ended twice": (
        Wrong.DOUBLE,
        lambda books: replace(books, ledger=changed(books.ledger, 6, ref="kept")),
    ),
    "a charge is in the pool and not in the ledger": (
        Wrong.DOUBLE,
        lambda books: replace(books, pools=changed(books.pools, 0, allowance_used=35)),
    ),
    "a key began two purchases": (
        Wrong.DOUBLE,
        lambda books: replace(books, sagas=[*books.sagas, {**books.sagas[0], "id": "second"}]),
    ),
    "tokens bought were given twice": (
        Wrong.DOUBLE,
        lambda books: replace(
            books,
            ledger=[*books.ledger, line(9, "purchase", "saga", BOUGHT, purchased=BOUGHT)],
            pools=changed(books.pools, 0, seq=9, purchased=2 * BOUGHT),
        ),
    ),
    "analytics counts an event twice": (
        Wrong.DOUBLE,
        lambda books: replace(books, events=[*books.events, books.events[0]]),
    ),
    "analytics has an event that was never charged": (
        Wrong.DOUBLE,
        lambda books: replace(
            books, events=[*books.events, {"event_id": "x", "tokens": 1, "allowed": True}]
        ),
    ),
    "analytics counts other tokens": (
        Wrong.DOUBLE,
        lambda books: replace(books, events=changed(books.events, 0, tokens=11)),
    ),
    "at one moment more was used than there is": (
        Wrong.OVER,
        lambda books: replace(
            books,
            ledger=[
                *changed(books.ledger, 5, tokens=105, allowance_used=105)[:6],
                line(7, "release", "let-go", 105, allowance_used=-105),
                books.ledger[7],
            ],
        ),
    ),
    "tokens were given that nobody paid": (
        Wrong.OVER,
        lambda books: replace(books, payments=changed(books.payments, 0, tokens=BOUGHT - 1)),
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_counted(bug: str) -> None:
    wrong, plant = BUGS[bug]
    assert wrong in {finding.wrong for finding in found(plant(BOOKS))}


def test_an_answered_charge_beyond_the_cap_is_counted_whatever_the_books_say() -> None:
    rest = ALLOWANCE + BOUGHT - 25
    within = [*OPS, op(Kind.SETTLE, "more", rest)]
    beyond = [*OPS, op(Kind.SETTLE, "more", rest + 1)]
    assert Wrong.OVER not in {finding.wrong for finding in found(ops=within)}
    assert Wrong.OVER in {finding.wrong for finding in found(ops=beyond)}


def test_a_key_that_was_answered_with_two_purchases_is_counted() -> None:
    twice = [*OPS, op(Kind.PURCHASE, "key", BOUGHT, said=("saga", "another"))]
    assert Wrong.DOUBLE in {finding.wrong for finding in found(ops=twice)}


# An orphan whose time is up at 100 s and that comes free at a moment.


def orphan(free_seconds: float) -> Books:
    at = {"expires_us": 100_000_000, "id": "orphan", "state": "EXPIRED"}
    lines = [
        line(9, "reserve", "orphan", 1, allowance_used=1, at_us=0),
        line(10, "expire", "orphan", 1, allowance_used=-1, at_us=int(free_seconds * 1_000_000)),
    ]
    pools = changed(BOOKS.pools, 0, seq=10)
    gone = [*BOOKS.reservations, at]
    return replace(BOOKS, ledger=[*LEDGER, *lines], pools=pools, reservations=gone)


def seconds(*stretches: tuple[float, float]) -> list[Stretch]:
    return [Stretch(int(one * 1_000_000), int(other * 1_000_000)) for one, other in stretches]


@pytest.mark.parametrize(
    ("free", "watched", "late"),
    [
        (104, [(0, 200)], 4),
        (110, [(0, 200)], 10),
        (110.1, [(0, 200)], 10.1),
        # From when an instance is back, and only as long as one is there.
        (150, [(0, 105), (144, 200)], 6),
        (155, [(0, 105), (144, 200)], 11),
        (250, [(0, 105), (120, 131), (240, 300)], 11),
        (250, [(0, 105), (120, 129), (240, 300)], 10),
        # It was its own last act.
        (150, [(0, 99), (160, 200)], 0),
        (99, [(0, 200)], 0),
        (150, [], 0),
    ],
)
def test_an_orphan_is_counted_late_from_when_somebody_could_free_it(
    free: float, watched: list[tuple[float, float]], late: float
) -> None:
    books, stretches = orphan(free), seconds(*watched)
    assert late_seconds(books, stretches) == late
    assert late_seconds(books) == pytest.approx(max(0, free - 100))
    wrong = [finding.wrong for finding in found(books, watched=stretches)]
    assert wrong == ([Wrong.LOST] if late > SWEPT_SECONDS else [])


def test_an_instance_is_watched_while_the_store_runs_and_others_take_over_from_it() -> None:
    moments = iter(range(1, 100))
    watch = Watch(clock=lambda: next(moments))
    watch.up("token")
    assert list(watch.stretches()) == []
    watch.up(STORE)
    watch.up("token.2")
    watch.down("token")
    watch.down("token")
    watch.up("token")
    watch.down("token.2")
    assert list(watch.stretches()) == [Stretch(1, 2)]
    watch.down("token")
    watch.up("token.2")
    watch.down(STORE)
    watch.down("token.2")
    assert list(watch.stretches()) == [Stretch(1, 3), Stretch(4, 5)]
