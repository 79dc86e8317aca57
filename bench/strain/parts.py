"""What two of svc_token share: a PostgreSQL, a Redis and a Consul of the benchmark's own."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.processes import ROOT
from bench.system import environment
from mesh.cli.services import NAMES
from mesh.consul.token import token_file
from tests.parts.command import leaky
from tests.parts.native import NativePart, native_part

SHARED = ("postgresql", "redis", "consul")


@contextmanager
def parts() -> Iterator[Mapping[str, str]]:
    """The settings that lead to them; gone afterwards. Raises RuntimeError when one does not start.

    A part that is not installed yet is, which takes minutes the first time (compose/native).
    """
    # Not under TMPDIR, which may be one that PostgreSQL's user cannot enter.
    folder = Path(tempfile.mkdtemp(prefix="leaky-bench-", dir="/var/tmp"))
    folder.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        running = {name: stack.enter_context(native_part(name, folder)) for name in SHARED}
        for each in running.values():
            _start(each)
        yield _settings(running, folder)


def _start(part: NativePart) -> None:
    try:
        part.install()
        part.start()
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        message = f"{part.name} does not start, without which --instances 1 is left: {error}"
        raise RuntimeError(message) from error


def _settings(running: Mapping[str, NativePart], folder: Path) -> dict[str, str]:
    consul = running["consul"]
    settings = {
        "registry": consul.url,
        "token.store": f"{running['postgresql'].url.rstrip('/')}/leaky_token",
        "token.bucket.store": running["redis"].url,
    }
    tokens = folder / "tokens"
    leaky(
        environment(settings),
        *("consul", "bootstrap", "--folder", str(ROOT / "consul"), "--out", str(tokens)),
        *("--token-file", consul.variables["PARTS_CONSUL_TOKEN_FILE"]),
    )
    settings |= {f"{name}.consul-token-file": str(token_file(tokens, name)) for name in NAMES}
    leaky(environment({**settings, "data": str(folder / "data")}), "migrate", "--service", "token")
    return settings
