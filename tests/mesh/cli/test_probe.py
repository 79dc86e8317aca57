"""`leaky probe`: what the health check of a container asks."""

from pathlib import Path

import pytest

from tests.mesh.cli.conftest import Leaky
from tests.mesh.cli.running import system_environment, up


@pytest.mark.parametrize("profile", ["local", "secure"])
def test_a_running_service_is_healthy(tmp_path: Path, leaky: Leaky, profile: str) -> None:
    env = system_environment(tmp_path / "data") | {"LEAKY_PROFILE": profile}
    with up(env) as running:
        running.ready()
        ours = {key: text for key, text in env.items() if key.startswith("LEAKY_")}
        one = leaky("probe", "token", **ours)
        everything = leaky("probe", **ours)
    assert (one.returncode, one.stdout) == (0, "token is healthy\n")
    assert everything.returncode == 0
    assert everything.stdout.count("is healthy") == 5


def test_nobody_there_is_a_failure(tmp_path: Path, leaky: Leaky) -> None:
    done = leaky("probe", "auth", **system_environment(tmp_path))
    assert (done.returncode, done.stdout) == (1, "auth is unreachable\n")


def test_an_unknown_service_is_told(leaky: Leaky) -> None:
    done = leaky("probe", "tokens")
    assert done.returncode == 2
    assert "there is no service tokens" in done.stderr
