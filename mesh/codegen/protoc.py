"""Runs protoc, as grpcio-tools carries it, over proto/."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path


def third_party(folder: Path) -> None:
    """Copies google/api and google/rpc out of the installed googleapis-common-protos."""
    spec = importlib.util.find_spec("google.rpc")
    if spec is None or not spec.submodule_search_locations:
        message = "googleapis-common-protos is not installed"
        raise RuntimeError(message)
    google = Path(next(iter(spec.submodule_search_locations))).parent
    for package in ("api", "rpc"):
        target = folder / "google" / package
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(google / package, target, ignore=shutil.ignore_patterns("*.py*", "__*"))


def sources(proto: Path) -> list[str]:
    """The proto files below a folder, as protoc names them, sorted."""
    return sorted(str(path.relative_to(proto)) for path in proto.rglob("*.proto"))


def generate(proto: Path, vendored: Path, out: Path, with_services: Iterable[str]) -> None:
    """Writes the message modules of all files and the gRPC stubs of those given, with typing.

    The plugins would write empty stub modules for files without a service.
    """
    out.mkdir(parents=True, exist_ok=True)
    include = (f"-I{proto}", f"-I{vendored}")
    protoc(*include, f"--python_out={out}", f"--mypy_out=quiet:{out}", *sources(proto))
    stubs = (f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet,only_async:{out}")
    protoc(*include, *stubs, *sorted(with_services))


def protoc(*arguments: str) -> None:
    """Runs protoc, whose plugins stand beside this interpreter."""
    plugins = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = [sys.executable, "-m", "grpc_tools.protoc", *arguments]
    subprocess.run(command, check=True, env={**os.environ, "PATH": plugins})  # noqa: S603 fixed arguments
