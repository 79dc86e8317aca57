"""How the tests of scripts/ run one."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[3] / "scripts"
# Several starts of a JVM, on a machine that is busy with other tests.
PATIENCE_SECONDS = 240.0


def script(name: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The script's own verdict, whatever it is; it sees no part but the one it is given."""
    known = {key: value for key, value in os.environ.items() if not key.startswith("PARTS_")}
    return subprocess.run(  # noqa: S603 our own script
        [SCRIPTS / f"{name}.sh", *arguments],
        env={**known, "PYTHON": sys.executable, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
