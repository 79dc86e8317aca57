"""What the Dockerfile builds: the wheel holds all that the code reads, and runs by itself."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "mesh",
    "providers",
    "svc_analytics",
    "svc_auth",
    "svc_gateway",
    "svc_stubs",
    "svc_token",
)
_SKIPPED = {"__pycache__", ".pyc"}
_LOADED = """
import importlib.metadata, sys
for group in ("leaky.services", "leaky.settings", "leaky.admin"):
    for entry in importlib.metadata.entry_points(group=group):
        entry.load()
import mesh
print(mesh.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as the Dockerfile does, from a copy, by the setuptools that the lock names."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheels")
    for name in (*PACKAGES, "gen", "pyproject.toml", "requirements.in", "requirements-dev.in"):
        (source / name).symlink_to(ROOT / name)
    for name in ("README.md", "LICENSE"):
        (source / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run(  # noqa: S603 our own project
        [*command, "--no-build-isolation", "--no-index", "--wheel-dir", built, source],
        cwd=source,
        check=True,
        timeout=300,
    )
    return next(built.glob("leaky_tokens-*.whl"))


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        str(path.relative_to(root))
        for root, names in ((ROOT, PACKAGES), (ROOT / "gen", ("leaky",)))
        for name in names
        for path in (root / name).rglob("*")
        if path.is_file() and not _SKIPPED & {*path.parts, path.suffix}
    }
    assert wanted
    assert wanted - packed == set()


def test_it_runs_away_from_the_sources_and_writes_nothing_beside_them(
    wheel: Path, tmp_path: Path
) -> None:
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    before = sorted(installed.rglob("*"))
    # Before the sources, which are installed where the tests are.
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    loaded = _run(tmp_path, env, "-c", _LOADED)
    assert loaded.stdout.strip() == str(installed / "mesh/__init__.py"), loaded.stderr
    shown = _run(tmp_path, env, "-m", "mesh.cli", "config", "get", "gateway.http-port")
    assert shown.stdout == "8080  (default, restart)\n", shown.stderr
    assert sorted(installed.rglob("*")) == before


def _run(folder: Path, env: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 our own program
        [sys.executable, *arguments],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
