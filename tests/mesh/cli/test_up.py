"""The command over the real services, as processes."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from mesh.cli.data import LOCK, holder, service_lock, wait_until_free
from mesh.cli.services import NAMES
from tests.mesh.cli.processes import gone
from tests.mesh.cli.running import Up, system_environment, up
from tests.ports import free_port

pytestmark = pytest.mark.e2e


class System:
    """A data folder with ports of its own, and the command on it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.env = system_environment(data)

    def leaky(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603
            [sys.executable, "-m", "mesh.cli", *arguments],
            env=self.env | env,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def pids(self) -> dict[str, int]:
        rows = json.loads((self.data / "up.json").read_text())
        return {row["service"]: row["pid"] for row in rows}

    def locks(self) -> list[Path]:
        return [service_lock(self.data, name) for name in NAMES]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> System:
    return System(tmp_path_factory.mktemp("up") / "data")


@pytest.fixture(scope="module")
def running(system: System) -> Iterator[Up]:
    with up(system.env, "--set", "token.bucket.capacity=1000000000") as one:
        yield one.ready()


def until(happened: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(600):
        if happened():
            return
        waiting.wait(0.1)
    pytest.fail("it did not happen")


def test_it_says_where_everything_is_and_a_first_call_that_works(
    running: Up, system: System
) -> None:
    ready = running.until(lambda line: "ready in" in line)
    assert re.search(r"ready in \d+\.\d s; try: curl http://", ready)
    for name in NAMES:
        row = running.until(lambda line, name=name: f"│ {name} " in line)  # type: ignore[misc]
        assert str(system.pids()[name]) in row
    with urlopen(ready.rpartition("curl ")[2], timeout=10) as answer:  # noqa: S310 our own
        assert json.load(answer)["status"] == "ok"


def test_logs_carry_the_name_of_the_service(running: Up) -> None:
    line = running.until(lambda line: line.startswith("auth ") and '"serving"' in line)
    assert json.loads(line.partition(" | ")[2])["service"] == "auth"


@pytest.mark.usefixtures("running")
def test_status_shows_every_service_healthy(system: System) -> None:
    status = system.leaky("status")
    assert (status.returncode, status.stdout.count("healthy")) == (0, 5)


@pytest.mark.usefixtures("running")
def test_status_of_another_folder_is_not_that_of_who_is_on_the_same_ports(
    system: System, tmp_path: Path
) -> None:
    status = system.leaky("status", "--data", str(tmp_path / "other"))
    assert (status.returncode, status.stdout.count("not running")) == (1, 5)


def test_a_second_one_on_the_same_data_is_refused_with_the_pid(running: Up, system: System) -> None:
    refused = system.leaky("up")
    assert refused.returncode == 1
    assert f"leaky up is already running on {system.data}, pid {running.process.pid}" in (
        refused.stderr
    )


@pytest.mark.usefixtures("running")
def test_a_second_service_on_the_same_data_is_refused_with_the_pid(system: System) -> None:
    refused = system.leaky("serve", "token")
    assert refused.returncode == 1
    pid = system.pids()["token"]
    assert f"leaky: token is already running on {system.data}, pid {pid}\n" in refused.stderr


@pytest.mark.usefixtures("running")
def test_a_setting_that_needs_a_restart_says_so_while_it_runs(system: System) -> None:
    assert "restart" in system.leaky("config", "set", "auth.jwt.expiry", "30m").stdout
    assert "restart" not in system.leaky("config", "set", "log.level", "info").stdout


@pytest.mark.usefixtures("running")
def test_a_setting_that_it_was_started_with_wins_and_that_is_said(system: System) -> None:
    said = system.leaky("config", "set", "token.bucket.capacity", "5").stdout
    assert "; LEAKY_TOKEN_BUCKET_CAPACITY, or --set, of the running leaky up wins over it" in said
    assert "1000000000" not in (system.data / "up.json").read_text()
    assert "wins" not in system.leaky("config", "set", "token.bucket.window-seconds", "5").stdout


def test_a_crashed_service_is_started_again_and_the_others_stay(
    running: Up, system: System
) -> None:
    before = system.pids()
    os.kill(before["token"], signal.SIGKILL)
    running.until(lambda line: "token was ended by SIGKILL; starting it again" in line)
    until(lambda: system.pids()["token"] not in (None, before["token"]))
    until(lambda: system.leaky("status").returncode == 0)
    after = system.pids()
    assert {**after, "token": 0} == {**before, "token": 0}


def test_down_drains_in_order_and_leaves_nothing(running: Up, system: System) -> None:
    pids = system.pids()
    down = system.leaky("down")
    assert (down.returncode, down.stdout) == (0, f"ended, pid {running.process.pid}\n")
    assert running.ended() == 0
    drained = [line.split()[0] for line in running.lines if '"draining"' in line]
    assert drained == ["gateway", "token", "analytics", "auth", "stubs"]
    assert all(gone(pid) for pid in pids.values())
    status = system.leaky("status")
    assert (status.returncode, status.stdout.count("not running")) == (1, 5)
    assert system.leaky("down").stdout == f"nothing is running on {system.data}\n"


def test_killing_it_ends_the_services_and_the_next_one_waits_for_them(tmp_path: Path) -> None:
    system = System(tmp_path / "data")
    first = Up(system.env)
    try:
        first.ready()
        pids = system.pids()
    finally:
        first.process.kill()
        first.ended()
    assert holder(system.data / LOCK) is None
    with up(system.env) as second:
        second.ready()
        assert all(gone(pid) for pid in pids.values())
        assert set(system.pids().values()).isdisjoint(pids.values())
        # One that has been told to end and has not yet is told again, for good.
        second.process.send_signal(signal.SIGINT)
        second.until(lambda line: "draining" in line)
        second.process.send_signal(signal.SIGINT)
        assert second.ended() == 0
    assert wait_until_free(system.locks(), 0) == {}


def test_a_signal_to_the_whole_group_drains_too(tmp_path: Path) -> None:
    system = System(tmp_path / "data")
    with up(system.env) as running:
        running.ready()
        os.killpg(running.process.pid, signal.SIGHUP)
        # As a script in the group that hands its own signal on.
        running.process.send_signal(signal.SIGTERM)
        assert running.ended() == 0
    assert sum('"draining"' in line for line in running.lines) == len(NAMES)
    assert not [line for line in running.lines if "SIG" in line or "did not end" in line]


def test_a_taken_port_is_named_with_its_setting(tmp_path: Path, taken_port: int) -> None:
    system = System(tmp_path / "data")
    refused = system.leaky("up", "--set", f"token.grpc-port={taken_port}")
    assert refused.returncode == 1
    assert f"port {taken_port} (token.grpc-port) is taken" in refused.stderr
    assert refused.stdout == ""
    # Also one that another system's gateways share, as they would with these.
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", shared := free_port()))
        other.listen()
        refused = system.leaky("up", "--workers", "2", "--set", f"gateway.http-port={shared}")
    assert refused.returncode == 1
    assert f"port {shared} (gateway.http-port) is taken" in refused.stderr
    refused = system.leaky("serve", "auth", LEAKY_AUTH_HTTP_PORT=str(taken_port))
    assert refused.returncode == 1
    assert f"port {taken_port} (auth.http-port) is taken" in refused.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("up", "--set", "token.bucket.capacity=many"),
        ("up", "--set", "token.bucket.capacty=5"),
        ("up", "--set", "token.bucket.capacity"),
        ("up", "--profile", "lax"),
        ("serve", "coffee"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    system = System(tmp_path / "data")
    refused = system.leaky(*arguments)
    assert refused.returncode == 2
    assert refused.stderr
    assert "Traceback" not in refused.stderr
    assert not system.data.exists()


def test_a_setting_that_a_service_refuses_ends_the_start(tmp_path: Path) -> None:
    system = System(tmp_path / "data")
    refused = system.leaky("up", LEAKY_TOKEN_BUCKET_CAPACITY="many")
    assert refused.returncode == 1
    assert "leaky: token did not start (ended with code 2): leaky: token.bucket" in refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr
    assert wait_until_free(system.locks(), 0) == {}


def test_the_playground_does_not_open_to_a_network(tmp_path: Path) -> None:
    refused = System(tmp_path / "data").leaky(
        "up", "--profile", "local", "--set", "bind-address=0.0.0.0"
    )
    assert refused.returncode == 2
    assert "LEAKY_ALLOW_INSECURE_BIND" in refused.stderr


def test_the_version_is_said() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mesh.cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.fullmatch(r"leaky \d+\.\d+\.\d+\n", done.stdout)


def test_data_of_a_newer_version_is_refused_in_one_line(tmp_path: Path) -> None:
    system = System(tmp_path / "data")
    system.data.mkdir()
    with sqlite3.connect(system.data / "auth.db") as database:
        database.execute("CREATE TABLE alembic_version_auth (version_num TEXT)")
        database.execute("INSERT INTO alembic_version_auth VALUES ('9999')")
    database.close()
    refused = system.leaky("serve", "auth")
    assert refused.returncode == 2
    [line] = [line for line in refused.stderr.splitlines() if line.startswith("leaky: ")]
    assert "9999" in line
    assert "Traceback" not in refused.stderr
