"""Writes the SDK's package and what makes a distribution of it."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from mesh.codegen.descriptors import Schema
from mesh.codegen.sdk import operations, reasons, render_models, render_services
from mesh.codegen.sdk.plan import Plan
from mesh.codegen.sdk.types import Types

_HERE = Path(__file__).resolve().parent
_RUNTIME = _HERE.parent / "runtime"


def version(pyproject: Path) -> str:
    """The version that the SDK shares with the system."""
    return str(tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["version"])


def plan(schema: Schema) -> Plan:
    """The SDK that a schema asks for."""
    types = Types(schema)
    services = tuple(operations.services(types))
    models = sorted(types.models.values(), key=lambda model: model.name)
    return Plan(models=tuple(models), services=services, reasons=tuple(reasons.reasons(schema)))


def write(schema: Schema, out: Path, *, version: str) -> None:
    """Writes leaky/client and pyproject.toml below `out`."""
    folder = out / "leaky" / "client"
    folder.mkdir(parents=True)
    for name, text in sources(plan(schema), version).items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "py.typed").touch()
    _layout(folder)
    # After the layout: the runtime is copied byte for byte.
    shutil.copytree(_RUNTIME, folder / "_runtime", ignore=shutil.ignore_patterns("__pycache__"))
    template = (_HERE / "pyproject.template.toml").read_text(encoding="utf-8")
    (out / "pyproject.toml").write_text(template.replace("@VERSION@", version), encoding="utf-8")


def sources(planned: Plan, version: str) -> dict[str, str]:
    """File name to source text, before layout."""
    entry, numbered = render_services.initial(version)
    twins = (render_services.ASYNC, render_services.SYNC)
    return {
        "__init__.py": entry,
        "_version.py": numbered,
        "_decode.py": render_models.decoders(planned.models),
        "models.py": render_models.models(planned.models),
        "errors.py": render_models.errors(planned.reasons),
        "client.py": render_services.client(planned.services),
        **{f"{twin.module}.py": render_services.services(planned.services, twin) for twin in twins},
    }


def _layout(folder: Path) -> None:
    """Removes imports that a module does not use, sorts the rest, and formats."""
    isolated = ("--isolated", "--no-cache", "--quiet", "--line-length=100")
    ruff = (sys.executable, "-m", "ruff")
    fixing = ("check", *isolated, "--target-version=py311", "--select=F401,I", "--fix", str(folder))
    for command in (fixing, ("format", *isolated, "--target-version=py311", str(folder))):
        subprocess.run([*ruff, *command], check=True)  # noqa: S603 fixed arguments
