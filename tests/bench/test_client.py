"""Our own client against the yardsticks as they are served; ended by count, not by time."""

import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from bench import wrk
from bench.apps import answers
from bench.callers import Caller
from bench.client import drive
from bench.plan import Plan, Request
from bench.processes import cpu_seconds, memory, running, until
from tests.ports import free_ports

CALLER = Caller(user_id="7d444840-9dc0-11d1-b245-5ffdce74fad2", key="leaky_x_y")
GET = Request(method="GET", path="/")


@pytest.fixture(scope="module", params=["bare", "fastapi"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, int, int]]:
    (port,) = free_ports(1)
    log = tmp_path_factory.mktemp("log") / "log"
    command = (sys.executable, "-m", "bench.yardsticks", request.param, str(port))
    with running(command, log) as process:
        until(partial(answers, port), 20)
        yield request.param, port, process.pid


def test_every_request_is_answered_once(served: tuple[str, int, int]) -> None:
    _, port, pid = served
    before = cpu_seconds(pid)
    load = drive(
        Plan(port=port, requests=(CALLER.quota(), CALLER.consume()), connections=4, count=401)
    )
    assert (load.answered, load.problem) == (401, "")
    assert 0 < load.p50_ms <= load.p99_ms
    assert cpu_seconds(pid) > before
    assert 0 < memory(pid).pss <= memory(pid).rss


def test_what_is_no_200_is_counted(served: tuple[str, int, int]) -> None:
    name, port, _ = served
    requests = (CALLER.quota(), Request(method="GET", path="/nowhere"))
    load = drive(Plan(port=port, requests=requests, connections=2, count=10))
    assert (load.answered, load.refused) == (10, 0 if name == "bare" else 5)


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_wrk_sends_the_same(served: tuple[str, int, int]) -> None:
    _, port, _ = served
    requests = (CALLER.quota(), CALLER.consume())
    load = wrk.drive(Plan(port=port, requests=requests, connections=2), shutil.which("wrk") or "")
    assert load.answered > 0
    assert load.problem == ""


def test_a_port_without_a_server_is_a_problem() -> None:
    (port,) = free_ports(1)
    load = drive(Plan(port=port, requests=(GET,), connections=2, count=5))
    assert (load.answered, load.broken, load.problem) == (0, 2, "no answers")


def test_a_process_ends_with_its_block(tmp_path: Path) -> None:
    with running((sys.executable, "-c", "import time; time.sleep(60)"), tmp_path / "log") as one:
        assert one.poll() is None
    assert one.poll() is not None
