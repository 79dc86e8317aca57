"""What every part's script promises, on the one that starts in no time."""

import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.parts.native import NativePart, native_part
from tests.parts.urls import REDIS, url

pytestmark = pytest.mark.skipif(not url(REDIS), reason="no real parts here")


@pytest.fixture
def redis() -> Iterator[NativePart]:
    with native_part("redis") as part:
        yield part


@pytest.fixture
def stranger() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(["sleep", "600"])  # noqa: S607 a process that is not ours to end
    yield process
    process.kill()
    process.wait()


def client(part: NativePart) -> Any:
    return Redis.from_url(part.url)


def test_a_second_start_says_so_and_changes_nothing(redis: NativePart) -> None:
    redis.start()
    pid = redis.pid
    assert "is running already" in redis.start()
    assert redis.pid == pid
    assert redis.status() == 0


def test_killed_it_is_down_and_starts_again_with_what_it_had(redis: NativePart) -> None:
    redis.start()
    with client(redis) as before:
        before.set("kept", "yes")
    first = redis.pid
    redis.kill()
    assert redis.status() == 3
    redis.start()
    assert redis.pid != first
    with client(redis) as after:
        assert after.get("kept") == b"yes"


def test_stopping_twice_is_stopping_once(redis: NativePart) -> None:
    redis.start()
    assert "stopped" in redis.stop()
    assert "is not running" in redis.stop()
    assert redis.status() == 3


def test_what_never_ran_is_down_and_can_be_stopped(redis: NativePart) -> None:
    assert redis.status() == 3
    assert "is not running" in redis.stop()


def test_a_pid_that_is_somebody_elses_is_left_alone(
    redis: NativePart, stranger: "subprocess.Popen[bytes]"
) -> None:
    redis.start()
    redis.kill()
    pid_file = redis.folder / "redis" / "pid"
    pid_file.write_text(f"{stranger.pid}\n")
    assert redis.status() == 3
    assert "is not running" in redis.stop()
    pid_file.write_text(f"{stranger.pid}\n")
    redis.start()
    assert redis.pid != stranger.pid
    assert stranger.poll() is None


def test_ports_are_remembered(redis: NativePart) -> None:
    redis.start()
    redis.stop()
    again = NativePart(name="redis", folder=redis.folder)
    again.start()
    assert str(again.port) == redis.ports["REDIS_PORT"]


def test_a_port_that_is_taken_is_an_error_that_names_its_setting(redis: NativePart) -> None:
    redis.start()
    with native_part("redis") as other:
        ended = other.run("start", str(other.folder), **redis.ports)
        assert ended.returncode == 1
        assert "REDIS_PORT" in ended.stderr
        assert other.status() == 3
    assert redis.status() == 0


def test_one_that_hangs_is_not_called_up(redis: NativePart) -> None:
    redis.start()
    os.kill(redis.pid, signal.SIGSTOP)
    assert redis.status() == 1
    os.kill(redis.pid, signal.SIGCONT)
    assert redis.status() == 0


def test_a_start_that_fails_shows_the_log(redis: NativePart) -> None:
    redis.start()
    redis.stop()
    (written,) = (redis.folder / "redis" / "data" / "appendonlydir").glob("*.manifest")
    written.write_text("no manifest\n")
    ended = redis.run("start", str(redis.folder))
    assert ended.returncode == 1
    assert "ended while starting" in ended.stderr
    assert "manifest" in ended.stderr
    assert redis.status() == 3


def test_the_password_is_its_owners_alone(redis: NativePart) -> None:
    told = redis.start()
    password = redis.folder / "redis" / "password"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert password.read_text() not in told
    assert password.read_bytes() not in Path(f"/proc/{redis.pid}/cmdline").read_bytes()
    assert password.read_text() not in (redis.folder / "redis" / "log").read_text()


def test_a_build_that_fails_leaves_nothing_that_looks_built(tmp_path: Path) -> None:
    sources = Path(__file__).parents[3] / "compose" / "native" / "shared" / "install.sh"
    script = f"""
    part=thing; say() {{ echo "$*"; }}; fail() {{ echo "$*"; exit 1; }}
    . {sources}
    still_seconds=1
    half() {{ touch "$1/half"; echo why; sleep 1.5; [[ -e {tmp_path}/mended ]]; true; }}
    build_once thing-1 {sources} half
    ls "$built"
    """
    for mended, code, said in ((False, 1, "why"), (True, 0, "built thing-1"), (True, 0, "half")):
        if mended:
            (tmp_path / "mended").touch()
        ended = subprocess.run(  # noqa: S603 the script above
            ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607
            env={**os.environ, "LEAKY_CACHE": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == code, ended.stderr
        assert said in ended.stdout
        # A build of minutes is no silence; what is built already says nothing.
        assert ("still building thing-1" in ended.stdout) is (said != "half")
        assert bool(list((tmp_path / "cache").glob("thing-1-*"))) is mended
