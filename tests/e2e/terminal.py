"""A reader's terminal: one shell in a folder that looks like a clone of the repository."""

import os
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from mesh.settings import MeshSettings
from mesh.settings.names import names_of
from tests.e2e.readme import Block
from tests.e2e.system import System

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60.0
COMMANDS = ("curl", "grpcurl")
_ADDRESS = re.compile(r"(?<=127\.0\.0\.1:)\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How a block ended and what it printed, with the ports of the README."""

    status: int
    out: str
    err: str


class Terminal:
    """A shell on a system's settings; `127.0.0.1:8080` in a block is that system's edge.

    `stand_ins` has curl and grpcurl replaced also where they are installed.
    """

    def __init__(self, folder: Path, system: System, *, stand_ins: bool = False) -> None:
        self._folder = folder
        self._ports = _ports(system)
        _clone(folder)
        path = _path(folder, stand_ins=stand_ins)
        # Pip builds with what is installed here instead of asking the registry.
        offline = {"PIP_NO_BUILD_ISOLATION": "false", "PIP_NO_INDEX": "1"}
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],  # noqa: S607 the reader's own
            cwd=folder,
            env=system.env | {"PATH": path} | offline,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._shell.kill()
        self._shell.communicate()

    def run(self, block: Block) -> Output:
        """Runs a block; what it sets stays set for the next."""
        code = _ADDRESS.sub(lambda port: self._ports.get(port[0], port[0]), block.text)
        if block.language == "python":
            code = f".venv/bin/python - <<'END OF PYTHON'\n{code}\nEND OF PYTHON"
        (self._folder / ".block").write_text(f"{code}\n")
        status = self._ask(". ./.block < /dev/null > .out 2> .err; echo $?")
        usual = {number: port for port, number in self._ports.items()}
        out, err = (
            _ADDRESS.sub(
                lambda port: usual.get(port[0], port[0]), (self._folder / name).read_text()
            )
            for name in (".out", ".err")
        )
        return Output(status=int(status or -1), out=out, err=err)

    def _ask(self, line: str) -> str:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        # A block that hangs ends with its shell.
        timer = threading.Timer(SECONDS, self._shell.kill)
        timer.start()
        try:
            self._shell.stdin.write(f"{line}\n")
            self._shell.stdin.flush()
            return self._shell.stdout.readline()
        finally:
            timer.cancel()


def _ports(system: System) -> dict[str, str]:
    """The ports as documented, and where the system has them."""
    usual = {name.dotted: name.default for name in names_of(MeshSettings)}
    return {str(usual[name]): str(port) for name, port in system.ports.items() if usual[name]}


def _clone(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / ".venv").symlink_to(sys.prefix)
    # A copy, as what is built leaves traces.
    shutil.copytree(ROOT / "gen", folder / "gen", ignore=shutil.ignore_patterns("__pycache__"))


def _path(folder: Path, *, stand_ins: bool) -> str:
    """PATH, where `go install` puts things, and stand-ins for what is not installed."""
    path = os.pathsep.join([os.environ["PATH"], str(Path.home() / "go" / "bin")])
    shims = folder / "shims"
    shims.mkdir()
    for command in COMMANDS:
        if stand_ins or shutil.which(command, path=path) is None:
            shim = shims / command
            program = Path(__file__).with_name("stand_ins.py")
            shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{program}" {command} "$@"\n')
            shim.chmod(0o755)
    return os.pathsep.join([str(shims), path])
