import os
from pathlib import Path

import pytest

from bench.options import Options, parse
from bench.rows import BARE_GET, FASTAPI_GET, ROWS, STATUS, chosen, yardsticks


def quick(*more: str) -> Options:
    return parse(["--quick", "--load", "own", *more])


def test_without_choices_everything_is_measured() -> None:
    options = parse(["--load", "own"])
    assert options.cases == tuple(ROWS)
    assert (options.connections, options.ways) == ((1, 16, 64), ("multiplexed",))
    assert (options.callers, options.events) == (500, 1_000_000)


def test_a_few_cases_and_their_yardsticks() -> None:
    rows = chosen(quick("--cases", "quota,status").cases)
    assert [row.name for row in rows] == [STATUS, "quota"]
    assert yardsticks(rows) == [BARE_GET, FASTAPI_GET]


@pytest.mark.parametrize(
    ("given", "ways"),
    [
        ([], ("multiplexed",)),
        (["--unary"], ("unary",)),
        (["--both"], ("multiplexed", "unary")),
    ],
)
def test_ways_of_calling(given: list[str], ways: tuple[str, ...]) -> None:
    assert quick(*given).ways == ways


def test_cores_are_the_loads_too_where_none_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = {0, 1}
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: cores)
    assert (quick().server_cores, quick().load_cores) == ((0,), (1,))
    both = quick("--cores", "2")
    assert (both.server_cores, both.load_cores) == ((0, 1), (0, 1))
    cores |= {2, 3}
    assert quick("--cores", "2").load_cores == (3,)
    cores -= {1, 2, 3}
    assert (quick().server_cores, quick().load_cores) == ((0,), (0,))


def test_secure_has_no_report_over_everybodys_events() -> None:
    assert "report" not in quick("--profile", "secure").cases


def test_settings_and_a_file() -> None:
    options = quick("--set", "a.b=1", "--set", "c=d=e", "--json", "f.json")
    assert options.settings == {"a.b": "1", "c": "d=e"}
    assert options.json == Path("f.json")


@pytest.mark.parametrize(
    "given",
    [
        ["--cases", "quota,nonsense"],
        ["--connections", "0"],
        ["--cores", "0"],
        ["--set", "novalue"],
        ["--load", "ab"],
        ["--cases", "report", "--profile", "secure"],
    ],
)
def test_what_is_no_choice_is_refused(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        quick(*given)
    assert ended.value.code == 2
    assert given[0] in capsys.readouterr().err
