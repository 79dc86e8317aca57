"""The SDK alone: typed, built, installed and used without the rest of the system."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.client.conftest import Reply, Server

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(httpx.__file__).resolve().parents[1]

PROGRAM = """
import asyncio, importlib.util, json, sys
from leaky.client import AsyncClient, Client, errors

url, user, key = sys.argv[1:]
assert importlib.util.find_spec("leaky.auth") is None
assert importlib.util.find_spec("leaky.token") is None
assert importlib.util.find_spec("mesh") is None

async def main():
    async with AsyncClient(base_url=url, api_key=key, timeout=5.0) as client:
        return await client.quota.get_quota(user_id=user, provider="openai")

quota = asyncio.run(main())
with Client(base_url=url, api_key=key) as client:
    try:
        client.consume.consume(user_id=user, provider="openai", tokens=3, prompt="hi")
    except errors.InsufficientQuota as error:
        refusal = error.reason
import leaky.client
print(json.dumps([leaky.client.__file__, quota.remaining_tokens, refusal]))
"""


def run(*command: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(  # noqa: S603 fixed commands
        [sys.executable, *command],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdk")
    copy = folder / "gen"
    (copy / "leaky").mkdir(parents=True)
    (copy / "pyproject.toml").write_bytes((ROOT / "gen" / "pyproject.toml").read_bytes())
    for path in (ROOT / "gen" / "leaky").rglob("*"):
        target = copy / path.relative_to(ROOT / "gen")
        if path.is_file() and "__pycache__" not in path.parts:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    run(
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder / "dist"),
        str(copy),
        cwd=folder,
    )
    [built] = (folder / "dist").glob("*.whl")
    return built


def test_the_wheel_holds_the_client_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        [metadata] = [name for name in archive.namelist() if name.endswith("/METADATA")]
        about = archive.read(metadata).decode()
    assert all(name.startswith("leaky/client/") for name in names)
    assert {"leaky/client/py.typed", "leaky/client/_runtime/attempts.py"} <= set(names)
    lines = about.splitlines()
    assert "Name: leaky-client" in lines
    assert [line for line in lines if line.startswith("Requires-Dist")] == [
        "Requires-Dist: httpx>=0.27"
    ]


def test_it_works_where_only_httpx_is(wheel: Path, tmp_path: Path, server: Server) -> None:
    target = tmp_path / "installed"
    run(
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-index",
        "--target",
        str(target),
        str(wheel),
        cwd=tmp_path,
    )
    for package in (
        "httpx",
        "httpcore",
        "h11",
        "anyio",
        "certifi",
        "idna",
        "sniffio",
        "typing_extensions.py",
    ):
        # Linked one by one: the repository itself is installed beside them.
        if (SITE / package).exists():
            (target / package).symlink_to(SITE / package)
    when = "2026-01-02T03:04:05Z"
    pool = {"totalTokens": 9, "remainingTokens": 4, "resetTime": when, "updatedAt": when}
    refusal = {"message": "insufficient token quota", "reason": "INSUFFICIENT_QUOTA"}
    server.answers(Reply(body=pool), Reply(status=402, body=refusal))
    # -S: no site-packages, so nothing but the target is there.
    out = run(
        "-S", "-c", PROGRAM, server.url, "u-1", "leaky_key", cwd=tmp_path, PYTHONPATH=str(target)
    )
    file, remaining, reason = json.loads(out)
    assert Path(file).is_relative_to(target)
    assert (remaining, reason) == (4, "INSUFFICIENT_QUOTA")
    first, second = server.seen
    assert (first.verb, first.path) == ("GET", "/api/v1/tokens/quota")
    assert first.query == {"userId": "u-1", "provider": "openai"}
    assert (second.verb, second.path) == ("POST", "/api/v1/tokens/consume")
    assert second.body == {"userId": "u-1", "provider": "openai", "tokens": 3, "prompt": "hi"}
    assert first.headers["x-api-key"] == second.headers["x-api-key"] == "leaky_key"
    assert first.headers["user-agent"].startswith("leaky-client/")


def test_it_is_typed_strictly_on_its_own(tmp_path: Path) -> None:
    settings = ("--strict", "--config-file=", "--namespace-packages", "--explicit-package-bases")
    cache = f"--cache-dir={tmp_path}"
    run("-m", "mypy", *settings, cache, "-p", "leaky.client", cwd=ROOT / "gen")
