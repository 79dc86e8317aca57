import json
from pathlib import Path
from typing import Any

import pytest

from bench.locust.figures import Call, Failure, Figures, read
from bench.locust.options import parse
from bench.locust.report import circumstances, markdown, write


def call(name: str, requests: int = 10, failures: int = 0) -> Call:
    times: dict[str, Any] = {"p50": 5, "p95": 12.6, "p99": 20, "max": 31, "mean": 6.4}
    return Call(call=name, requests=requests, failures=failures, **times)


GOOD = Figures(
    scenario="consume",
    seconds=5.0,
    calls=(call("consume"), call("consume [402 quota]")),
    failures=(),
)


def test_rates_are_over_the_time_that_it_took() -> None:
    assert [GOOD.rate(one) for one in GOOD.calls] == [2.0, 2.0]
    assert (GOOD.done, GOOD.wrong) == (10, [])


def test_a_run_in_which_all_was_refused_is_no_good_one() -> None:
    calls = (call("setup: login"), call("quota [429 window]"))
    only = Figures(scenario="quota", seconds=5.0, calls=calls, failures=())
    assert only.wrong == ["nothing was done"]


def test_failures_are_told_with_their_number() -> None:
    failure = Failure(call="quota", error="500 INTERNAL", times=3)
    bad = Figures(scenario="quota", seconds=1.0, calls=(call("quota"),), failures=(failure,))
    assert bad.wrong == ["quota: 500 INTERNAL, 3 times"]
    assert "- **failed**: quota: 500 INTERNAL, 3 times" in list(markdown({}, [bad]))


def test_markdown_has_a_table_for_each_scenario() -> None:
    lines = list(markdown({"commit": "abc"}, [GOOD]))
    assert "- commit: abc" in lines
    assert "## consume, 5 s" in lines
    assert "| consume [402 quota] | 10 | 2.0 | 0 | 5 | 13 | 20 | 31 | 6 |" in lines


def test_it_says_on_what_it_was_run_and_shows_no_credential() -> None:
    options = parse(["login", "--username", "ada", "--password", "sesame", "--users", "3"])
    about = circumstances(options)
    assert set(about) == {
        *("commit", "machine", "system", "versions", "target", "users", "asked for")
    }
    assert "cores" in about["machine"]
    assert "locust " in about["versions"]
    assert about["users"].startswith("3, ")
    assert "sesame" not in repr(about)


@pytest.mark.parametrize("name", ["a.json", "a.md"])
def test_a_report_is_written_as_its_name_ends(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    write(file, {"commit": "abc"}, [GOOD])
    if name.endswith("json"):
        told = json.loads(file.read_text())
        assert told["about"] == {"commit": "abc"}
        assert told["scenarios"][0]["calls"][0]["requests"] == 10
    else:
        assert file.read_text().startswith("# Load\n")


def test_a_locust_that_wrote_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="without any figures"):
        read("quota", tmp_path / "none")
