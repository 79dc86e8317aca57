"""`leaky config`: settings, in a file under the data folder that the services follow."""

import fcntl
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from mesh.cli import options
from mesh.cli.catalogue import Catalogue, Effective
from mesh.cli.data import LOCK, environment, holder, private_folder, write_private
from mesh.cli.refusal import USAGE, RefusedError
from mesh.cli.screen import print_table
from mesh.cli.services import settings_models
from mesh.settings import MeshSettings
from mesh.settings.names import env_name
from mesh.settings.source import FILE, load, read_file

app = typer.Typer(help="Look at settings and change them.", no_args_is_help=True)
# The file is found through it, so it cannot say where the file is.
_OUTSIDE = "data"
_Name = Annotated[str, typer.Argument(metavar="NAME", help="Such as token.bucket.capacity.")]


@app.command()
def get(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="All without.")] = None,
    data: options.Data = None,
) -> None:
    """Show what settings stand at, where that comes from, and whether changes apply live."""
    env = environment(data)
    folder = load(MeshSettings, env, {}).data
    catalogue = Catalogue(settings_models())
    found = catalogue.effective(env, read_file(folder))
    if name is None:
        rows = [(row.name, row.shown, row.source, _applies(row)) for row in found]
        print_table(("name", "value", "source", "applies"), rows)
        return
    catalogue.find(name)
    for row in found:
        if row.name == name:
            typer.echo(f"{row.shown}  ({row.source}, {_applies(row)})")
            return
    raise RefusedError(f"{name} is not set")


def _applies(row: Effective) -> str:
    return "live" if row.live else "restart"


@app.command("set")
def put(
    name: _Name,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="- reads it from stdin.")],
    data: options.Data = None,
) -> None:
    """Change a setting; refused when any service would refuse it."""
    if value == "-":
        value = sys.stdin.readline().rstrip("\r\n")
    edit = _edit(name, data)
    with _alone(edit.folder):
        values = {**read_file(edit.folder), name: value}
        _store(edit, values)
    typer.echo(f"{name} is set{edit.note()}")


@app.command()
def unset(name: _Name, data: options.Data = None) -> None:
    """Put a setting back to its default."""
    edit = _edit(name, data)
    with _alone(edit.folder):
        values = read_file(edit.folder)
        if values.pop(name, None) is None:
            raise RefusedError(f"{name} is not set in {edit.folder / FILE}")
        _store(edit, values)
    typer.echo(f"{name} is back to its default{edit.note()}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    name: str
    live: bool
    folder: Path
    catalogue: Catalogue
    env: Mapping[str, str]

    def note(self) -> str:
        """What else is to know of the change."""
        notes = []
        if env_name(self.name) in self.env:
            notes.append(f"; {env_name(self.name)} in the environment wins over it")
        if not self.live and holder(self.folder / LOCK) is not None:
            notes.append("; it takes effect after a restart: leaky down, then leaky up")
        return "".join(notes)


def _edit(name: str, data: Path | None) -> _Edit:
    env = environment(data)
    catalogue = Catalogue(settings_models())
    live = catalogue.find(name).live
    if name == _OUTSIDE:
        message = "the data folder is chosen with --data or LEAKY_DATA"
        raise RefusedError(message, code=USAGE)
    folder = private_folder(load(MeshSettings, env, {}).data)
    return _Edit(name=name, live=live, folder=folder, catalogue=catalogue, env=env)


def _store(edit: _Edit, values: Mapping[str, str]) -> None:
    # Without its variable, so that a value which the environment hides is checked too.
    env = {key: text for key, text in edit.env.items() if key != env_name(edit.name)}
    edit.catalogue.check(env, values)
    write_private(edit.folder / FILE, json.dumps(values, indent=2, sort_keys=True) + "\n")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / f"{FILE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
