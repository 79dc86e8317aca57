"""What is made of the answers under strain, and callers that stay away as long as they are told."""

import asyncio
from collections.abc import Iterable, Mapping
from itertools import cycle
from math import isinf

import pytest

from bench.plan import OK, Request
from bench.strain.aims import aims
from bench.strain.answers import Answer, Answers, back_after, worst_half_ms
from bench.strain.crowd import Crowd, retry_after
from bench.strain.left_behind import Cancelled, Once, State
from bench.strain.options import PARTS, parse
from bench.strain.overloaded import AFTER, BEFORE, LIGHT, OVER, PEAK, PEAK_AGAIN, Loaded, Overloaded
from bench.strain.report import markdown
from bench.strain.result import Result
from bench.strain.slow_call import Round, SlowCall

BUSY = 503
HEAD = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n"


def answers(ms: float, *statuses: int, seconds: float = 1.0) -> Answers:
    """Evenly over the time."""
    step = seconds / max(1, len(statuses))
    told = [
        Answer(at=(number + 0.5) * step, seconds=ms / 1000, status=status)
        for number, status in enumerate(statuses)
    ]
    return Answers(all=told, seconds=seconds)


def joined(parts: Iterable[Answers]) -> Answers:
    """One after the other."""
    at, told = 0.0, []
    for part in parts:
        told += [Answer(at=at + one.at, seconds=one.seconds, status=one.status) for one in part.all]
        at += part.seconds
    return Answers(all=told, seconds=at)


def test_goodput_is_what_was_done_in_time() -> None:
    load = answers(1, *[OK] * 60, *[BUSY] * 40, seconds=2.0)
    late = Answer(at=2.5, seconds=1, status=OK)
    assert Answers(all=[*load.all, late], seconds=2.0).goodput == 30
    assert load.statuses == {OK: 60, BUSY: 40}


def test_refusals_and_what_was_done_have_a_time_each() -> None:
    load = joined([answers(7, OK, OK), answers(3, 429, BUSY)])
    assert (load.done_p99_ms, load.refused_p99_ms) == (7, 3)
    assert answers(7, OK).refused_p99_ms == 0


def test_what_nobody_should_have_answered_is_told() -> None:
    load = answers(1, OK, 504, BUSY)
    assert load.unexpected({OK, BUSY}) == "1 answers of 504"
    assert answers(1, OK).unexpected({OK}) == ""
    lost = Answers(all=[], seconds=1.0, broken=2)
    assert lost.unexpected({OK}) == "2 connections broke"


@pytest.mark.parametrize(("slow", "since"), [(0, 0.0), (1, 1.0), (2, 2.0)])
def test_it_is_back_when_no_slow_half_second_follows(slow: int, since: float) -> None:
    parts = [*([answers(50, *[OK] * 10)] * slow), *([answers(5, *[OK] * 10)] * 3)]
    assert back_after(joined(parts), 10) == since


def test_the_worst_half_second_is_found() -> None:
    parts = [answers(5, *[OK] * 10), answers(50, *[OK] * 10), answers(7, *[OK] * 10)]
    assert worst_half_ms(joined(parts)) == 50
    assert worst_half_ms(Answers(all=[], seconds=0.0)) == 0


def test_without_an_end_it_is_never_back() -> None:
    assert isinf(back_after(joined([answers(50, *[OK] * 10)] * 3), 10))
    # A half second without any answer is not normal either.
    assert isinf(back_after(Answers(all=[], seconds=2.0), 10))


@pytest.mark.parametrize(
    ("line", "seconds"), [(b"", 0.0), (b"Retry-After: 2\r\n", 2.0), (b"retry-after:1\r\n", 1.0)]
)
def test_how_long_to_stay_away_is_read(line: bytes, seconds: float) -> None:
    assert retry_after(HEAD + line + b"\r\n") == seconds


async def _crowded(heads: Iterable[bytes], *, connections: int, seconds: float) -> Answers:
    """Against a server that answers each request with the next of these."""
    turns = cycle(heads)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(0.01)
                writer.write(next(turns) + b"\r\n")
        except EOFError:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        requests = [Request(method="GET", path="/")]
        crowd = Crowd(port=port, requests=requests, connections=connections, seconds=seconds)
        return await crowd()


def test_who_is_told_to_come_later_does() -> None:
    load = asyncio.run(_crowded([HEAD + b"retry-after: 60\r\n"], connections=5, seconds=2.0))
    assert load.statuses == {BUSY: 5}
    assert load.broken == 0


def test_who_is_not_told_when_comes_back_at_once() -> None:
    load = asyncio.run(_crowded([HEAD], connections=2, seconds=2.0))
    assert load.statuses[BUSY] > 2


def test_an_answer_that_cannot_be_read_is_a_broken_connection() -> None:
    load = asyncio.run(_crowded([b"HTTP/1.1 200 OK\r\n"], connections=3, seconds=2.0))
    assert (load.broken, list(load.all)) == (3, [])


def state(**changed: float) -> State:
    """At rest."""
    calm = {"in_flight": 0.0, "streams": 2.0, "queued": 0.0, "rss": 100.0, "own_queued": 0.0}
    files = {"files": 40, "own_files": 20, "own_tasks": 7}
    return State(**{**calm, **files, **changed})  # type: ignore[arg-type]


def overloaded(over: Answers, rss: float = 100.0) -> Overloaded:
    """A peak of 100/s before and after."""
    calm = Loaded(answers=answers(5, *[OK] * 100), cpu_seconds=0.1)
    loads: Mapping[str, Loaded] = {
        LIGHT: calm,
        PEAK: calm,
        OVER: Loaded(answers=over, cpu_seconds=0.1),
        AFTER: calm,
        PEAK_AGAIN: calm,
    }
    held = {"gateway": 100.0, "token": 100.0}
    return Overloaded(
        limit=64,
        loads=loads,
        rss={BEFORE: held, OVER: {**held, "gateway": rss}, AFTER: held},
    )


def result(*, beside_ms: float = 5, last: State | None = None, over: Overloaded) -> Result:
    calm = answers(5, OK)
    one = Round(without=calm, beside=answers(beside_ms, OK), slow=calm)
    left = Cancelled(
        calls=1000,
        times=[Once(begun=1000, ended_seconds=0.5)],
        states=[state(rss=50.0), state(), last or state()],
        charged=1000,
        astray=0,
    )
    slow = SlowCall(rounds=[one], astray=0)
    return Result(slow=slow, cancelled=left, overloads=[over], load=(0.5, 1.5))


def test_a_sound_run_that_is_quick_enough_meets_all() -> None:
    sound = result(over=overloaded(answers(5, *[OK] * 95, *[BUSY] * 5)))
    assert [each.name for each in aims(sound, parse([])) if not each.met] == []
    assert sound.problems() == []


def test_what_is_too_slow_or_too_much_is_missed_and_no_problem() -> None:
    leaking = state(in_flight=1, files=60, own_tasks=8, rss=120.0)
    over = overloaded(answers(80, *[OK] * 80, *[BUSY] * 20), rss=111.0)
    poor = result(beside_ms=6, last=leaking, over=over)
    missed = " ".join(each.name for each in aims(poor, parse([])) if not each.met)
    for part in ("one slow call", "in flight at svc_token", "files of", "tasks here", "x after"):
        assert part in missed
    for part in ("goodput", "p99 of refusals", "RSS of gateway"):
        assert part in missed
    assert poor.problems() == []
    assert "**missed**" in "\n".join(markdown(poor, parse([])))


def test_what_was_lost_or_not_measured_is_a_problem() -> None:
    calm = answers(5, OK)
    one = Round(without=calm, beside=answers(5, 500), slow=calm)
    left = Cancelled(
        calls=1000,
        times=[Once(begun=999, ended_seconds=0.5)],
        states=[state()] * 2,
        charged=0,
        astray=3,
    )
    over = overloaded(answers(5, 504))
    slow = SlowCall(rounds=[one], astray=3)
    bad = Result(slow=slow, cancelled=left, overloads=[over], load=(0, 0))
    assert len(bad.problems()) == 5


def test_the_parts_may_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse([]).parts == PARTS
    assert parse(["--parts", "cancel", "--max-in-flight", "8,9"]).limits == (8, 9)
    with pytest.raises(SystemExit):
        parse(["--parts", "quick"])
    assert "there are slow, cancel, kill, overload" in capsys.readouterr().err
