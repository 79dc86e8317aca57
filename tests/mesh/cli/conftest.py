"""Small programs for the supervisor to run, and `leaky` as a process."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Leaky = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def leaky(tmp_path: Path) -> Leaky:
    """Runs the command on a data folder of the test's own, with no settings from outside."""

    def run(
        *arguments: str, data: Path | None = None, stdin: str = "", **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603
            [sys.executable, "-m", "mesh.cli", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=clean_environment() | {"LEAKY_DATA": str(data or tmp_path / "data")} | env,
        )

    return run


def clean_environment() -> dict[str, str]:
    return {key: text for key, text in os.environ.items() if not key.startswith("LEAKY_")}


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
