"""`leaky config`: settings, in the file under the data folder or in Consul KV."""

import os
import sys
from pathlib import Path
from typing import Annotated, Protocol

import typer

from mesh.cli import options
from mesh.cli.catalogue import Catalogue, Effective
from mesh.cli.config_file import FileSettings
from mesh.cli.data import LOCK, environment, holder
from mesh.cli.refusal import USAGE, RefusedError
from mesh.cli.screen import print_table
from mesh.cli.services import check_name, settings_models
from mesh.cli.state import read_state
from mesh.settings import MeshSettings
from mesh.settings.names import env_name
from mesh.settings.source import load

app = typer.Typer(help="Look at settings and change them.", no_args_is_help=True)
# The place is found through them, so they cannot be in it.
_OUTSIDE = {
    "data": "the data folder is chosen with --data or LEAKY_DATA",
    "registry": "the registry is chosen with LEAKY_REGISTRY, for it says where settings are",
}
_Name = Annotated[str, typer.Argument(metavar="NAME", help="Such as token.bucket.capacity.")]
_Services = Annotated[
    list[str] | None,
    typer.Option("--service", metavar="SERVICE", help="In Consul KV: for it alone; repeatable."),
]
_TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="The Consul token; else CONSUL_HTTP_TOKEN, else the services' own.",
    ),
]


class Place(Protocol):
    """Where settings are kept."""

    def effective(self) -> list[Effective]:
        """What all stand at."""
        ...

    def put(self, name: str, text: str | None, services: list[str]) -> str:
        """Changes one, None to its default; what else is to know of it. Raises SettingsError."""
        ...


@app.command()
def get(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="All without.")] = None,
    data: options.Data = None,
    token_file: _TokenFile = None,
) -> None:
    """Show what settings stand at, where that comes from, and whether changes apply live."""
    catalogue = Catalogue(settings_models())
    if name is not None:
        catalogue.find(name)
    found = _place(catalogue, data, token_file).effective()
    if name is None:
        rows = [(_named(row), row.shown, row.source, _applies(row)) for row in found]
        print_table(("name", "value", "source", "applies"), rows)
        return
    rows_of_it = [row for row in found if row.name == name]
    if not rows_of_it:
        raise RefusedError(f"{name} is not set")
    for row in rows_of_it:
        whose = f"{', '.join(row.services)}: " if row.services else ""
        typer.echo(f"{whose}{row.shown}  ({row.source}, {_applies(row)})")


def _named(row: Effective) -> str:
    return f"{row.name} [{', '.join(row.services)}]" if row.services else row.name


def _applies(row: Effective) -> str:
    return "live" if row.live else "restart"


@app.command("set")
def put(
    name: _Name,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="- reads it from stdin.")],
    data: options.Data = None,
    services: _Services = None,
    token_file: _TokenFile = None,
) -> None:
    """Change a setting; refused when any service would refuse it."""
    if value == "-":
        value = sys.stdin.readline().rstrip("\r\n")
    note = _change(name, value, data, services, token_file)
    typer.echo(f"{name} is set{note}")


@app.command()
def unset(
    name: _Name,
    data: options.Data = None,
    services: _Services = None,
    token_file: _TokenFile = None,
) -> None:
    """Put a setting back to its default."""
    note = _change(name, None, data, services, token_file)
    typer.echo(f"{name} is back to its default{note}")


def _change(
    name: str,
    text: str | None,
    data: Path | None,
    services: list[str] | None,
    token_file: Path | None,
) -> str:
    catalogue = Catalogue(settings_models())
    catalogue.find(name)
    if name in _OUTSIDE:
        raise RefusedError(_OUTSIDE[name], code=USAGE)
    for service in services or []:
        check_name(service)
    note = _place(catalogue, data, token_file).put(name, text, services or [])
    return f"{_hidden(name, data)}{note}"


def _hidden(name: str, data: Path | None) -> str:
    variable = env_name(name)
    if variable in os.environ:
        return f"; {variable} in the environment wins over it"
    folder = load(MeshSettings, environment(data), {}).data
    running = read_state(folder) if holder(folder / LOCK) is not None else []
    if any(variable in each.variables for each in running):
        return f"; {variable}, or --set, of the running leaky up wins over it"
    return ""


def _place(catalogue: Catalogue, data: Path | None, token_file: Path | None) -> Place:
    env = environment(data)
    start = load(MeshSettings, env, {})
    if not start.uses_consul:
        return FileSettings(catalogue, env, start.data)
    # py-consul comes with it, which is much to import.
    from mesh.cli.config_kv import KvSettings, operator_token  # noqa: PLC0415

    return KvSettings(catalogue, env, start, operator_token(env, token_file))
