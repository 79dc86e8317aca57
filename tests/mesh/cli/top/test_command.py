"""`leaky top` on a running system, as processes."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from mesh.cli.services import NAMES
from mesh.settings.names import env_name
from tests.exposed import total
from tests.mesh.cli.conftest import Leaky
from tests.mesh.cli.running import system_environment, up

pytestmark = pytest.mark.e2e
PATH = "/api/v1/tokens/status"


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    env = system_environment(tmp_path_factory.mktemp("top") / "data")
    with up(env) as running:
        running.ready()
        yield env


def url(env: dict[str, str], service: str) -> str:
    return f"http://127.0.0.1:{env[env_name(f'{service}.http-port')]}"


def frame(leaky: Leaky, env: dict[str, str], *words: str) -> Any:
    done = leaky("top", "--once", "--json", "--interval", "0.5", *words, **env)
    assert (done.returncode, done.stderr) == (0, "")
    [line] = done.stdout.splitlines()
    return json.loads(line)


def test_every_instance_is_shown_with_what_its_metrics_say(
    leaky: Leaky, env: dict[str, str]
) -> None:
    found = frame(leaky, env)
    assert [one["name"] for one in found["instances"]] == list(NAMES)
    assert [one["service"] for one in found["services"]] == list(NAMES)
    for one in found["instances"]:
        assert (one["health"], one["problem"]) == ("healthy", "")
        assert one["rest"]["rate"] is not None
        assert one["in_flight"] is not None
    assert 0.4 < found["seconds"] < 30
    for known in ("outbox_depth", "outbox_parked", "pools_overdrawn", "sagas_stale"):
        assert found[known] == 0, known
    assert found["breakers"] == []
    assert found["breakers_closed"] > 0
    assert "openai" in found["pools_low"]


def test_what_is_shown_is_what_was_counted(env: dict[str, str]) -> None:
    before = counted(env)
    with watching(env) as frames:
        first = next(frames)
        assert first["instances"][0]["rest"] is None
        for _ in range(40):
            with urlopen(url(env, "gateway") + PATH) as answer:  # noqa: S310 our own
                answer.read()
        seen = [next(frames)]
        while sum(map(shown, seen)) < 39.9:
            seen.append(next(frames))
            assert len(seen) < 60
    assert sum(map(shown, seen)) == pytest.approx(40)
    assert counted(env) - before == 40
    routes = [one for each in seen for one in each["routes"] if one["name"] == f"GET {PATH}"]
    assert {one["service"] for one in routes} == {"gateway"}
    assert all(0 < one["calls"]["p50"] <= one["calls"]["p99"] for one in routes)


def test_outside_a_terminal_it_is_plain_text(leaky: Leaky, env: dict[str, str]) -> None:
    done = leaky("top", "--once", "--interval", "0.5", **env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    for name in (*NAMES, "outbox", "sagas", "breakers", "pools", "p99"):
        assert name in done.stdout, name


def test_where_nothing_runs_everything_is_down_and_shown(leaky: Leaky, tmp_path: Path) -> None:
    nowhere = system_environment(tmp_path / "data")
    found = frame(leaky, nowhere)
    assert [(one["name"], one["health"]) for one in found["instances"]] == [
        (name, "down") for name in NAMES
    ]
    assert all(one["problem"] for one in found["instances"])
    assert found["outbox_depth"] is None


@pytest.mark.parametrize("words", [("--interval", "0"), ("--interval", "soon")])
def test_bad_choices_are_refused(leaky: Leaky, words: tuple[str, ...]) -> None:
    assert leaky("top", *words).returncode == 2


def test_a_consul_that_is_away_is_one_line(leaky: Leaky) -> None:
    refused = leaky("top", "--once", LEAKY_REGISTRY="consul://127.0.0.1:1")
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert "Consul, asked for" in refused.stderr


@contextmanager
def watching(env: dict[str, str]) -> Iterator[Iterator[Any]]:
    """The frames of a top that goes on until it is interrupted, which is its ordinary end."""
    command = [sys.executable, "-m", "mesh.cli", "top", "--json", "--interval", "0.5"]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stdout is not None
    try:
        yield map(json.loads, process.stdout)
    finally:
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        process.stdout.close()
        assert process.wait(20) == 0


def shown(one: Any) -> float:
    """How many requests of the edge a frame stands for."""
    gateway = one["instances"][0]
    routes = [each for each in one["routes"] if each["name"] == f"GET {PATH}"]
    return float(sum(each["calls"]["rate"] for each in routes) * gateway["seconds"])


def counted(env: dict[str, str]) -> float:
    with urlopen(url(env, "gateway") + "/metrics") as answer:  # noqa: S310 our own
        text = answer.read().decode()
    return total(text, "http_server_requests_seconds_count", uri=PATH)
