"""Callers who send again what is safe, and the ledger counted against what they were told."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isinf
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from sqlalchemy import MetaData, Table, insert

from bench.callers import TOKENS, Caller
from bench.metering.ways import opened
from bench.strain.aims import aims
from bench.strain.insisting import Insisting
from bench.strain.killed import Kill, Killed
from bench.strain.ledger import books_at_rest, counted
from bench.strain.options import parse
from bench.strain.report import markdown
from bench.strain.result import Result
from bench.strain.told import Piece, Told, Try, Way
from svc_analytics.stores.sql import EVENTS
from svc_token.stores.tables import IDEMPOTENCY_KEYS, LEDGER, METADATA, POOLS, RESERVATIONS
from tests.faults.books import Books, ProviderCall, Row
from tests.faults.checks import Wrong
from tests.faults.history import Kind, Op, Outcome

USER = "8f0c8d9e-0000-4000-8000-000000000001"
OWNER = {"owner": f"user:{USER}", "provider": "openai"}
ALLOWANCE = 100
CALLER = Caller(user_id=USER, key="key")


def op(kind: Kind, ref: str, outcome: Outcome = Outcome.DONE) -> Op:
    why = "" if outcome is Outcome.DONE else "503 UNAVAILABLE"
    return Op(kind=kind, user_id=USER, tokens=TOKENS, ref=ref, outcome=outcome, why=why, keyed=True)


def line(seq: int, kind: str, ref: str, **deltas: int) -> Row:
    event = f"event-{ref}" if kind == "settle" else None
    amounts = dict.fromkeys(("allowance", "allowance_used", "purchased", "purchased_used"), 0)
    told = {"seq": seq, "kind": kind, "ref": ref, "tokens": TOKENS, "event_id": event, "at_us": 0}
    return {**OWNER, **told, **amounts, "debt": 0, **deltas}


def pool(used: int, seq: int) -> Row:
    amounts = {"allowance": ALLOWANCE, "allowance_used": used, "purchased": 0, "purchased_used": 0}
    return {**OWNER, **amounts, "seq": seq, "debt": 0}


OPS = [op(Kind.CONSUME, "key"), op(Kind.RESERVE, "held"), op(Kind.SETTLE, "held")]
LEDGER_LINES = [
    line(1, "adjust", "", allowance=ALLOWANCE),
    line(2, "reserve", "of-key", allowance_used=TOKENS),
    line(3, "settle", "of-key"),
    line(4, "reserve", "held", allowance_used=TOKENS),
    line(5, "settle", "held"),
]
BOOKS = Books(
    pools=[pool(2 * TOKENS, 5)],
    reservations=[{"id": name, "state": "SETTLED", "expires_us": 0} for name in ("of-key", "held")],
    ledger=LEDGER_LINES,
    events=[
        {"event_id": f"event-{name}", "tokens": TOKENS, "allowed": True}
        for name in ("of-key", "held")
    ],
    calls=[ProviderCall(mark="key", request_id="of-key")],
)


def _more(*lines: Row) -> Books:
    """With these lines, which the pool follows."""
    all_ = [*LEDGER_LINES, *lines]
    used = sum(each["allowance_used"] for each in all_)
    events = [
        {"event_id": each["event_id"], "tokens": TOKENS, "allowed": True}
        for each in lines
        if each["event_id"]
    ]
    return replace(
        BOOKS, ledger=all_, pools=[pool(used, len(all_))], events=[*BOOKS.events, *events]
    )


def test_books_that_say_what_callers_were_told_are_right() -> None:
    found = counted(OPS, BOOKS, ALLOWANCE)
    assert (str(found), found.astray, found.lines) == ("lost=0 double=0 over=0", 0, 5)


def test_a_consume_that_was_told_done_and_is_not_in_the_ledger_is_lost() -> None:
    told = [*OPS, op(Kind.CONSUME, "gone")]
    found = counted(told, BOOKS, ALLOWANCE)
    assert (found.count(Wrong.LOST), found.astray) == (1, TOKENS)


def test_a_settle_that_was_told_done_and_is_not_in_the_ledger_is_lost() -> None:
    cut = LEDGER_LINES[:4], [pool(2 * TOKENS, 4)], BOOKS.events[:1]
    books = replace(BOOKS, ledger=cut[0], pools=cut[1], events=cut[2])
    assert counted(OPS, books, ALLOWANCE).count(Wrong.LOST) == 1


def test_what_was_charged_under_an_id_that_no_caller_has_is_double() -> None:
    twice = _more(line(6, "reserve", "again", allowance_used=TOKENS), line(7, "settle", "again"))
    found = counted(OPS, twice, ALLOWANCE)
    assert (found.count(Wrong.DOUBLE), found.astray) == (1, TOKENS)
    assert "again was charged 3" in found.findings[0].text


def test_an_orphan_that_came_free_is_neither() -> None:
    swept = _more(
        line(6, "reserve", "orphan", allowance_used=TOKENS),
        line(7, "expire", "orphan", allowance_used=-TOKENS),
    )
    found = counted(OPS, swept, ALLOWANCE)
    assert (list(found.findings), found.astray) == ([], 0)


def test_a_reservation_that_ended_twice_is_double() -> None:
    assert counted(OPS, _more(line(6, "settle", "held")), ALLOWANCE).count(Wrong.DOUBLE) > 0


async def _fill(url: str, metadata: MetaData, rows: Sequence[tuple[Table, Sequence[Row]]]) -> None:
    """With 0 or nothing in all that is not said."""

    def full(table: Table, row: Row) -> dict[str, Any]:
        blank = {each.name: 0 if each.type.python_type is int else "" for each in table.columns} | {
            "event_id": None,
            "org_id": None,
        }
        known = table.columns.keys()
        return {name: {**blank, **row}[name] for name in known}

    async with opened(url) as database, database.write() as connection:
        await connection.run_sync(metadata.create_all)
        for table, some in rows:
            await connection.execute(insert(table), [full(table, row) for row in some])


def test_the_books_are_read_from_the_tables_of_the_services(tmp_path: Path) -> None:
    token, analytics = (f"sqlite:///{tmp_path / name}.db" for name in ("token", "analytics"))
    key = {"scope": USER, "operation": "consume", "key": "key", "id": "of-key", "fingerprint": b""}
    reservations = [{**OWNER, **row} for row in BOOKS.reservations]
    rows = [
        (POOLS, BOOKS.pools),
        (LEDGER, BOOKS.ledger),
        (RESERVATIONS, reservations),
        (IDEMPOTENCY_KEYS, [{**key, "answer": b"said"}]),
    ]

    async def read() -> Books:
        await _fill(token, METADATA, rows)
        await _fill(analytics, EVENTS.metadata, [(EVENTS, BOOKS.events)])
        return await books_at_rest(token, analytics)

    books = asyncio.run(read())
    found = counted(OPS, books, ALLOWANCE)
    assert (list(found.findings), found.astray, found.lines) == ([], 0, 5)


Answers = list[tuple[int, dict[str, Any]]]
UNAVAILABLE = (503, {"reason": "UNAVAILABLE"})
LOST: tuple[int, dict[str, Any]] = (0, {})


async def _spent(answers: Answers, turn: int, patience: float = 10.0) -> tuple[Told, list[Any]]:
    """One turn of a caller at an edge that answers like this; what it was sent."""
    sent: list[Any] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        sent.append((request.path, request.headers.get("Idempotency-Key"), await request.json()))
        status, body = answers[len(sent) - 1]
        if not status:
            assert request.transport is not None
            request.transport.close()
        return web.json_response(body, status=status or 200, headers={"Retry-After": "0"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{port}"
            callers = Insisting(url=url, session=session, patience=patience)
            await callers.spend(CALLER, iter([turn]))
        return callers.told, sent
    finally:
        await runner.cleanup()


def test_a_consume_is_sent_again_with_its_key_until_it_is_known() -> None:
    waits = (409, {"reason": "IDEMPOTENCY_KEY_IN_FLIGHT"})
    answers: Answers = [UNAVAILABLE, LOST, waits, (504, {}), (200, {})]
    told, sent = asyncio.run(_spent(answers, turn=1))
    assert len(sent) == 5
    assert len({str(each) for each in sent}) == 1
    [piece] = told.pieces
    assert (piece.op.kind, piece.op.outcome, piece.sent) == (Kind.CONSUME, Outcome.DONE, 5)
    assert piece.op.ref == sent[0][1]
    assert told.statuses == {503: 1, 0: 1, 409: 1, 504: 1, 200: 1}
    assert told.again == 1


def test_a_reservation_and_its_settle_have_one_id() -> None:
    told, sent = asyncio.run(_spent([UNAVAILABLE, (201, {}), UNAVAILABLE, (200, {})], turn=0))
    [ref] = {each.ref for each in told.ops}
    assert [each.kind for each in told.ops] == [Kind.RESERVE, Kind.SETTLE]
    assert [path.count(ref) for path, _, _ in sent] == [0, 0, 1, 1]
    assert [body.get("id") for _, _, body in sent[:2]] == [ref, ref]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ((409, {"reason": "IDEMPOTENCY_KEY_REUSED"}), Outcome.REFUSED),
        ((500, {}), Outcome.REFUSED),
        (UNAVAILABLE, Outcome.UNKNOWN),
    ],
)
def test_what_is_refused_or_given_up_is_not_settled(answer: Any, outcome: Outcome) -> None:
    told, sent = asyncio.run(_spent([answer], turn=0, patience=0.0))
    assert [(each.kind, each.outcome) for each in told.ops] == [(Kind.RESERVE, outcome)]
    assert len(sent) == 1
    assert str(answer[0]) in told.ops[0].why


def tried(way: Way, began: float, ended: float, status: int) -> Try:
    return Try(way=way, began=began, ended=ended, status=status, sound=status == 200)


TRIES = [
    tried(Way.WRITE, 0.0, 1.2, 200),
    tried(Way.READ, 1.0, 1.1, 200),
    tried(Way.WRITE, 1.0, 1.1, 503),
    tried(Way.WRITE, 1.1, 1.5, 200),
]


def test_the_first_success_is_of_what_was_sent_after_the_kill() -> None:
    told = Told(tries=TRIES)
    assert told.first_success(1.0) == 0.5
    assert isinf(told.first_success(1.2))
    assert (len(told.reads), told.reads_failed) == (1, 0)


def killed(instances: int = 2, books: Books = BOOKS, **changed: Any) -> Killed:
    pieces = [Piece(op=each, sent=1, seconds=0.1) for each in OPS]
    calm = Killed(
        instances=instances,
        kills=[Kill(in_flight=15, first_seconds=0.1, back_seconds=4.0)],
        told=Told(tries=TRIES, pieces=pieces),
        counted=counted(OPS, books, ALLOWANCE),
    )
    return replace(calm, **changed)


def missed(one: Killed) -> list[str]:
    return [each.name for each in aims(Result(killed=[one]), parse([])) if not each.met]


def test_a_run_that_loses_nothing_meets_all() -> None:
    for instances in (1, 2):
        result = Result(killed=[killed(instances)])
        assert missed(result.killed[0]) == []
        assert result.problems() == []
    assert "lost=0 double=0" in "\n".join(markdown(result, parse([])))


def _reading(status: int) -> Told:
    return Told(tries=[*TRIES, tried(Way.READ, 1.0, 1.1, status)])


BAD: dict[str, Callable[[], Killed]] = {
    "pool": lambda: killed(books=replace(BOOKS, pools=[pool(0, 5)])),
    "1 reads failed": lambda: killed(told=_reading(503)),
    "answered [500]": lambda: killed(1, told=_reading(500)),
    "ended unknown": lambda: killed(
        told=Told(pieces=[Piece(op=op(Kind.SETTLE, "held", Outcome.UNKNOWN), sent=9, seconds=90)])
    ),
    "in flight": lambda: killed(kills=[Kill(in_flight=0, first_seconds=0.1, back_seconds=1.0)]),
}


@pytest.mark.parametrize("part", BAD)
def test_what_should_not_be_is_a_problem(part: str) -> None:
    assert part in " ".join(BAD[part]().problems())


def test_reads_may_fail_where_nobody_else_lives() -> None:
    alone = killed(1, told=_reading(503))
    assert list(alone.problems()) == []
    assert missed(alone) == []
    assert len(missed(killed(2, told=_reading(503)))) == 1


def test_to_be_long_without_a_success_is_missed_and_no_problem() -> None:
    late = [Kill(in_flight=1, first_seconds=2.0, back_seconds=4.0)]
    assert len(missed(killed(2, kills=late))) == 1
    assert missed(killed(1, kills=late)) == []
    assert list(killed(2, kills=late).problems()) == []


def test_instances_may_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse([]).instances == (1, 2)
    assert parse(["--instances", "1"]).instances == (1,)
    with pytest.raises(SystemExit):
        parse(["--instances", "3"])
    assert "there are 1, 2" in capsys.readouterr().err
