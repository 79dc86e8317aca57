"""Runs a `leaky` command that has to succeed."""

import subprocess
import sys
from collections.abc import Mapping


def leaky(env: Mapping[str, str], *arguments: str) -> None:
    """With this environment alone. Raises RuntimeError, with what was printed, when it fails."""
    ended = subprocess.run(  # noqa: S603 our own command
        [sys.executable, "-m", "mesh.cli", *arguments],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if ended.returncode:
        raise RuntimeError(ended.stdout + ended.stderr)
