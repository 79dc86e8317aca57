"""What arms a failpoint, and what an armed one does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.failpoints import Failpoints, WrongFailpointsError, _nothing


def test_a_place_that_is_not_armed_does_nothing() -> None:
    assert Failpoints("").place("a.b") is _nothing
    assert Failpoints("other.place=kill@1").place("a.b") is _nothing


def test_a_failure_comes_at_the_hit_that_was_named_and_at_no_other() -> None:
    place = Failpoints("a.b=raise@3").place("a.b")
    place()
    place()
    with pytest.raises(AppError, match=r"a\.b") as raised:
        place()
    assert raised.value.reason == REASON_UNAVAILABLE
    place()


def test_a_lost_connection_looks_like_one() -> None:
    with pytest.raises(ConnectionResetError):
        Failpoints("a.b=disconnect@1").place("a.b")()


def test_a_pause_holds_up_the_whole_process() -> None:
    place = Failpoints("a.b=pause:0.05@1").place("a.b")
    began = time.monotonic()
    place()
    assert time.monotonic() - began >= 0.05


def test_several_places_are_armed_at_once() -> None:
    points = Failpoints("a.b=raise@1;c.d=disconnect@1")
    with pytest.raises(AppError):
        points.place("a.b")()
    with pytest.raises(ConnectionResetError):
        points.place("c.d")()


@pytest.mark.parametrize("action", ["kill", "stop"])
def test_a_signal_goes_to_the_process_itself(action: str) -> None:
    code = "from mesh.failpoints import failpoint; place = failpoint('a.b'); place(); place()"
    child = subprocess.Popen(  # noqa: S603 our own code
        [sys.executable, "-c", code],
        env={**os.environ, "LEAKY_FAILPOINTS": f"a.b={action}@2"},
        stderr=subprocess.PIPE,
    )
    _, status = os.waitpid(child.pid, os.WUNTRACED)
    if action == "stop":
        assert os.WIFSTOPPED(status)
        child.kill()
        os.waitpid(child.pid, 0)
    else:
        assert os.WTERMSIG(status) == signal.SIGKILL
    child.returncode = -signal.SIGKILL
    assert child.stderr is not None
    with child.stderr as said:
        assert said.read() == f"failpoint a.b: {action} at hit 2\n".encode()


@pytest.mark.parametrize("name", ["a.b", "Ab.c", "a", "a.b ", "a..b", ""])
def test_a_name_is_declared_once_and_in_words(name: str) -> None:
    points = Failpoints("")
    points.place("a.b")
    with pytest.raises(ValueError, match="no new failpoint"):
        points.place(name)


@pytest.mark.parametrize(
    "text", ["a.b", "a.b=kill", "a.b=kill@0", "a.b=burn@1", "a.b=pause@1", "a.b=kill@1,c.d=kill@1"]
)
def test_words_that_are_not_understood_keep_a_service_from_starting(text: str) -> None:
    points = Failpoints(text)
    assert points.place("a.b") is _nothing
    with pytest.raises(WrongFailpointsError, match="NAME=kill@3"):
        points.check(permitted=True)


def test_what_is_understood_and_permitted_passes() -> None:
    Failpoints("a.b=kill@1").check(permitted=True)
    Failpoints("").check(permitted=False)


def test_the_profile_secure_starts_with_no_failpoint(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "mesh.cli", "serve", "stubs"],
        env={
            **os.environ,
            "LEAKY_DATA": str(tmp_path),
            "LEAKY_PROFILE": "secure",
            "LEAKY_MESH_SECRET": "sixteen characters and more",
            "LEAKY_FAILPOINTS": "rpc.handled=kill@1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 2, ended.stderr
    assert "LEAKY_FAILPOINTS is set, and profile secure has no failpoints" in ended.stderr
