"""The comparison of costs with those recorded, from samples as rounds give them."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from bench.guard.__main__ import concluded
from bench.guard.options import Asked, parse
from bench.guard.ratios import MOST_ROUNDS, enough
from bench.guard.recorded import Recorded, read, write
from bench.guard.verdict import NothingRecordedError, compared, unsteady
from bench.measure import Sample
from bench.plan import Load
from bench.rows import BARE_GET, BARE_POST, QUOTA, RESERVE, STATUS

LOAD = Load(answered=100, refused=0, broken=0, seconds=1.0, p50_ms=1.0, p99_ms=2.0)
HOW = {"load": "own", "cores": "1"}


def sample(case: str, connections: int, cost: float) -> Sample:
    return Sample(
        case=case,
        connections=connections,
        load=LOAD,
        cpu_us={"all": cost},
        instructions=1000 * cost,
        busy=1.0,
        settled=0.0,
    )


def a_round(status: float = 100.0, bare: float = 20.0) -> list[Sample]:
    costs = {BARE_GET: bare, BARE_POST: bare, STATUS: status, QUOTA: 200.0, RESERVE: 400.0}
    return [sample(case, many, cost) for many in (16, 64) for case, cost in costs.items()]


def asked(file: Path, *more: str, instructions: bool = False) -> Asked:
    found = parse(["--load", "own", "--recorded", str(file), *more])
    return replace(found, options=replace(found.options, instructions=instructions))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "recorded.json"
    assert concluded(asked(path, "--record"), [a_round()] * 3) == 0
    return path


def test_what_is_recorded_is_each_rows_multiple_of_bare(file: Path) -> None:
    (recorded,) = read(file).values()
    assert recorded.ratios == {
        f"{row} at {many}": ratio
        for many in (16, 64)
        for row, ratio in ((STATUS, 5.0), (QUOTA, 10.0), (RESERVE, 20.0))
    }


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (50.0, 0, "kept, -50.0%"),
        (100.0, 0, "kept, +0.0%"),
        (109.0, 0, "kept, +9.0%"),
        (111.0, 1, "**lost**, +11.0%"),
        (300.0, 1, "**lost**, +200.0%"),
    ],
)
def test_a_loss_of_more_than_a_tenth_fails(
    file: Path, capsys: pytest.CaptureFixture[str], status: float, code: int, said: str
) -> None:
    assert concluded(asked(file), [a_round(status)] * 3) == code
    lines = [line for line in capsys.readouterr().out.splitlines() if said in line]
    assert [line.split("|")[1].strip() for line in lines if STATUS in line] == [
        "status at 16",
        "status at 64",
    ]


def test_a_slower_machine_is_no_loss(file: Path) -> None:
    slower = [replace(each, cpu_us={"all": each.cpu * 3}) for each in a_round()]
    assert concluded(asked(file), [slower] * 3) == 0


def test_the_median_of_the_rounds_decides(file: Path) -> None:
    assert concluded(asked(file), [a_round(), a_round(), a_round(500.0)]) == 0
    assert concluded(asked(file), [a_round(), a_round(500.0), a_round(500.0)]) == 1


def test_what_cannot_be_measured_is_lost(file: Path) -> None:
    assert concluded(asked(file), [a_round(bare=0.0)] * 3) == 1


def test_nothing_recorded_is_neither_kept_nor_lost(
    tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert concluded(asked(tmp_path / "none.json"), [a_round()]) == 2
    assert concluded(asked(file, "--cores", "2"), [a_round()]) == (
        2 if len(asked(file, "--cores", "2").options.server_cores) == 2 else 0
    )
    assert concluded(asked(file, "--unary"), [a_round()]) == 2
    told = capsys.readouterr().err
    assert "nothing recorded; make bench-guard ARGS=--record" in told
    assert "calls was multiplexed, is unary" in told


def test_a_cost_of_nothing_is_not_recorded(file: Path) -> None:
    before = file.read_text()
    assert concluded(asked(file, "--record"), [a_round(bare=0.0)]) == 2
    assert file.read_text() == before


def test_instructions_are_compared_where_both_runs_have_them(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = tmp_path / "both.json"
    assert concluded(asked(both, "--record", instructions=True), [a_round()]) == 0
    assert set(read(both)) == {"instructions", "CPU time"}
    for recorded, counted, figure in (
        (both, True, "instructions a call"),
        (both, False, "CPU time a call"),
        (file, True, "CPU time a call"),
    ):
        assert concluded(asked(recorded, instructions=counted), [a_round()]) == 0
        assert capsys.readouterr().out.startswith(figure)


def test_rows_that_were_not_recorded_are_named() -> None:
    recorded = Recorded(ratios={"status at 16": 5.0}, circumstances=HOW, machine="m")
    with pytest.raises(NothingRecordedError, match="not recorded: quota at 16"):
        compared(recorded, {"quota at 16": [1.0]}, HOW)


def test_unsteady_rounds_ask_for_more(tmp_path: Path) -> None:
    options = asked(tmp_path / "f").options
    steady, wild = a_round(), [a_round(status) for status in (60.0, 100.0, 140.0)]
    assert not enough([steady] * (options.rounds - 1), options)
    assert enough([steady] * options.rounds, options)
    assert not enough(wild * 3, options)
    assert enough(wild * (MOST_ROUNDS // 3), options)


def test_one_odd_round_in_many_is_not_unsteady() -> None:
    assert unsteady([1.0] * 8 + [5.0]) == 0.0
    assert unsteady([1.0, 1.2, 0.8, 1.1]) == pytest.approx(0.1 / 1.05 / 2)
    assert unsteady([0.0, 0.0]) == math.inf


def test_the_file_is_as_it_was_written(tmp_path: Path) -> None:
    recorded = {"CPU time": Recorded(ratios={"a": 1.5}, circumstances=HOW, machine="m")}
    path = tmp_path / "f.json"
    write(path, recorded)
    assert read(path) == recorded
    assert json.loads(path.read_text())["CPU time"]["ratios"] == {"a": 1.5}
    assert read(tmp_path / "none") == {}
