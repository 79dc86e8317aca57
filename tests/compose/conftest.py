"""What compose/secrets.sh makes, for the tests that read it."""

import subprocess
from pathlib import Path

import pytest

from tests.compose.files import COMPOSE


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder, just made."""
    folder = tmp_path_factory.mktemp("made") / "secrets"
    subprocess.run([COMPOSE / "secrets.sh", folder], check=True, capture_output=True)  # noqa: S603
    return folder
