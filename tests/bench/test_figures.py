from dataclasses import replace

from bench.aims import aims
from bench.cases import BARE_GET, CONSUME, FASTAPI_GET, FASTAPI_POST, QUOTA
from bench.exactness import Exactness
from bench.figures import Figures, cpu, throughput
from bench.measure import Sample
from bench.plan import Load
from bench.processes import Memory
from bench.spread import Spread


def sample(case: str, connections: int, calls: int, cpu_us: float = 100.0) -> Sample:
    return Sample(
        case=case,
        connections=connections,
        load=Load(answered=calls, refused=0, broken=0, seconds=1.0, p50_ms=1.0, p99_ms=2.0),
        cpu_us={"gateway": cpu_us, "token": 3 * cpu_us},
        busy=1.0,
        settled=0.0,
    )


def a_round(quota: int, fastapi: int) -> list[Sample]:
    return [
        sample(case, connections, calls)
        for connections in (16, 64)
        for case, calls in (
            (QUOTA, quota * 16 // connections),
            (CONSUME, 300),
            (FASTAPI_GET, fastapi),
            (FASTAPI_POST, 1000),
            (BARE_GET, 0),
        )
    ]


FIGURES = Figures([a_round(400, 1000), a_round(500, 1000), a_round(200, 2000)])


def test_ratios_are_of_the_same_round() -> None:
    assert FIGURES.ratio(QUOTA, FASTAPI_GET, 16, throughput) == Spread(0.1, 0.4, 0.5)
    assert FIGURES.ratio(QUOTA, FASTAPI_GET, 16, cpu) == Spread(1.0, 1.0, 1.0)
    assert FIGURES.growth(QUOTA, 16, 64) == Spread(0.25, 0.25, 0.25)


def test_a_yardstick_of_nothing_gives_no_figure() -> None:
    assert FIGURES.ratio(QUOTA, BARE_GET, 16, throughput).text(2) == "nan"


def test_cpu_by_process() -> None:
    assert FIGURES.cpu_of(QUOTA, 16, "token") == Spread(300.0, 300.0, 300.0)


def test_aims_are_judged_by_the_median() -> None:
    memory = {"gateway": Memory(300, 200), "token": Memory(300, 299), "up": Memory(90, 90)}
    judged = {aim.name: aim.met for aim in aims(FIGURES, (16, 64), memory)}
    assert judged == {
        "quota at 16, x FastAPI": True,
        "quota at 64, x FastAPI": False,
        "quota at 64, x its own at 16": False,
        "consume at 16, x FastAPI": True,
        "consume at 64, x FastAPI": True,
        "consume at 64, x its own at 16": True,
        "five processes after load, PSS": True,
    }


def test_a_sample_with_refused_answers_is_named() -> None:
    good = sample(QUOTA, 16, 10)
    bad = replace(good, load=replace(good.load, refused=3))
    assert Figures([[good], [bad]]).problems() == [
        "quota at 16: 3 answers were refusals, 0 connections broke"
    ]


def test_tokens_lost_or_given_away_are_seen() -> None:
    exact = Exactness(answered=300, lost=300, slack=0, comparable=True)
    assert exact.holds
    assert not replace(exact, lost=301).holds
    assert not replace(exact, lost=299).holds
    assert replace(exact, lost=303, slack=3).holds
    assert not replace(exact, lost=299, slack=3).holds
    assert replace(exact, lost=-5, comparable=False).holds
