"""A run's Markdown, from samples as a run has them."""

from dataclasses import replace

import pytest

from bench.exactness import Exactness
from bench.figures import Figures
from bench.measure import Sample
from bench.options import Options, parse
from bench.plan import Load
from bench.processes import Memory
from bench.report import markdown
from bench.result import Result, Weighed
from bench.rows import BARE_GET, BARE_POST, FASTAPI_GET, FASTAPI_POST, REPORT, RESERVE

NAMES = ("gateway", "token", "up")
MEMORY = {name: Memory(100, 50) for name in NAMES}


SPEEDS = {BARE_GET: 800, FASTAPI_GET: 400, BARE_POST: 800, FASTAPI_POST: 400}


def sample(case: str, connections: int, per_second: int) -> Sample:
    pids = ("app",) if case in SPEEDS else NAMES
    return Sample(
        case=case,
        connections=connections,
        load=Load(answered=per_second, refused=0, broken=0, seconds=1.0, p50_ms=1.0, p99_ms=2.0),
        cpu_us=dict.fromkeys(pids, 100.0),
        busy=0.5,
        settled=0.1,
    )


def result(options: Options) -> Result:
    labels = ["", "unary"][: len(options.ways)]
    samples = [
        sample(case, many, speed) for many in options.connections for case, speed in SPEEDS.items()
    ]
    for number, label in enumerate(labels):
        of = f", {label}" if label else ""
        samples += [sample(RESERVE + of, many, 600 >> number) for many in options.connections]
        samples += [sample(REPORT + of, many, 8) for many in options.connections if many <= 16]
    systems = [Weighed(label=each, starts=[1.0], idle=MEMORY, loaded=MEMORY) for each in labels]
    exact = {"200 calls": Exactness(answered=600, lost=600, slack=0, comparable=True)}
    return Result(
        options=options,
        machine={"CPU": "x"},
        systems=systems,
        figures=Figures([samples]),
        exact=exact,
    )


def lines(*more: str) -> list[str]:
    options = parse(["--load", "own", "--cases", "reserve,report", *more])
    return list(markdown(result(options)))


def sections(text: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    title = ""
    for line in text:
        title = line[3:] if line.startswith("## ") else title
        found.setdefault(title, []).append(line)
    return found


def test_a_row_is_compared_with_both_yardsticks() -> None:
    ratios = sections(lines())["Ratios at 64 connections"]
    assert "| reserve + settle | bare | 0.75 | 1.00 | 1.00 | 3.00 |" in ratios
    assert "| reserve + settle | FastAPI | 1.50 | 1.00 | 1.00 | 3.00 |" in ratios


def test_unary_is_compared_with_multiplexed_of_the_same_run() -> None:
    ratios = sections(lines("--both"))["Ratios at 64 connections"]
    assert "| reserve + settle, unary | multiplexed | 0.50 | 1.00 | 1.00 | 1.00 |" in ratios
    assert not any("| reserve + settle | multiplexed" in line for line in ratios)
    assert any(title == "Memory, unary" for title in sections(lines("--both")))


def test_pairs_are_told_beside_calls() -> None:
    figures = sections(lines())["Figures at 16 connections"]
    assert "reserve + settle: 300 pairs/s, each of 2 calls" in figures
    assert any(line.startswith("| reserve + settle | 600 |") for line in figures)


@pytest.mark.parametrize("title", ["Ratios", "Figures", "CPU us a call by process"])
def test_a_row_is_only_where_it_was_measured(title: str) -> None:
    found = sections(lines())
    assert any(line.startswith("| report") for line in found[f"{title} at 16 connections"])
    assert not any(line.startswith("| report") for line in found[f"{title} at 64 connections"])


def test_a_run_that_is_worth_nothing_shows_no_figures() -> None:
    good = result(parse(["--load", "own", "--cases", "reserve"]))
    lost = Exactness(answered=600, lost=603, slack=0, comparable=True)
    text = list(markdown(replace(good, exact={"200 calls": lost})))
    assert "- 200 calls: answers spent 600 tokens, the pool lost 603" in text
    assert list(sections(text)) == ["", "FAILED"]
