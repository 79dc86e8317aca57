from dataclasses import replace

from bench.aims import aims
from bench.exactness import Exactness
from bench.figures import Figures, cpu, throughput
from bench.measure import Sample
from bench.plan import Load
from bench.processes import Memory
from bench.rows import BARE_GET, CONSUME, FASTAPI_GET, FASTAPI_POST, QUOTA, RESERVE
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
    assert FIGURES.ratios(QUOTA, FASTAPI_GET, 16, throughput) == [0.4, 0.5, 0.1]


def test_a_yardstick_of_nothing_gives_no_figure() -> None:
    assert FIGURES.ratio(QUOTA, BARE_GET, 16, throughput).text(2) == "nan"


def test_cpu_by_process() -> None:
    assert FIGURES.cpu_of(QUOTA, 16, "token") == Spread(300.0, 300.0, 300.0)


MEMORY = {"gateway": Memory(300, 200), "token": Memory(300, 299), "up": Memory(90, 90)}


def test_aims_are_judged_by_the_median() -> None:
    judged = {aim.name: aim.met for aim in aims(FIGURES, 2, MEMORY)}
    assert judged == {
        "consume at 16, 2 cores, x FastAPI": False,
        "consume at 64, 2 cores, x FastAPI": False,
        "consume at 64, 2 cores, p99": True,
        "five processes after load, PSS": True,
    }


def test_what_was_not_measured_is_no_aim() -> None:
    names = [aim.name for aim in aims(FIGURES, 1, MEMORY)]
    assert names == ["quota at 64, 1 core, x FastAPI", "five processes after load, PSS"]
    assert len(list(aims(FIGURES, 3, MEMORY))) == 1
    assert list(aims(FIGURES, 3, {**MEMORY, "gateway.2": Memory(1, 1)})) == []


def test_each_aim_has_its_own_bound() -> None:
    def met(reserves: int, at: int) -> bool:
        samples = [sample(RESERVE, at, reserves), sample(FASTAPI_POST, at, 1000)]
        return next(aims(Figures([samples]), 1, MEMORY)).met

    assert [met(699, 16), met(700, 16)] == [False, True]
    assert [met(1199, 64), met(1200, 64)] == [False, True]


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
