"""`leaky pki`: the certificates that services show each other in `secure`."""

import datetime as dt
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from mesh.cli import options
from mesh.cli.certificates import issuing_of
from mesh.cli.data import environment
from mesh.cli.refusal import USAGE, RefusedError
from mesh.cli.screen import print_table
from mesh.clock import SystemClock
from mesh.pki.authority import ROOT_LIFE
from mesh.pki.certificates import moment
from mesh.pki.issuing import Issuing
from mesh.pki.leaf_folder import LeafFolder
from mesh.pki.refused import CertificateError
from mesh.pki.rotation import Rotation
from mesh.pki.survey import Seen, leaf, names_in, roots
from mesh.settings import Live, MeshSettings
from mesh.settings.model import parse_duration

T = TypeVar("T")
_PRIVATE = 0o077
Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]...", help="token, token.2, operator, ...")
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Instead of the folder pki.leaves.")
]
app = typer.Typer(help="Give services the certificates they show each other.", no_args_is_help=True)


@app.command()
def init(data: options.Data = None) -> None:
    """Make the CA, unless there is one."""
    issuing = _issuing(data, None)
    there = issuing.file.exists()
    issuing.file.made(issuing.trust_domain, moment(issuing.clock))
    typer.echo(f"{'there is a CA' if there else 'made a CA'} in {issuing.file.path}")


@app.command()
def issue(
    names: Names = None,
    *,
    ttl: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Such as 1h; pki.leaf-ttl without.")
    ] = None,
    out: Out = None,
    data: options.Data = None,
) -> None:
    """Make a new key and certificate for each name."""
    issuing = _issuing(data, out)
    life = _duration(ttl, "--ttl") if ttl is not None else issuing.life
    if not names:
        raise RefusedError("whom for? leaky pki issue NAME...", code=USAGE)
    for name in names:
        folder = _written(lambda name=name: issuing.issue(name, life=life))  # type: ignore[misc]
        typer.echo(f"{name}: {folder.path}, until {_told(folder.read().until)}")


@app.command()
def renew(
    names: Names = None,
    *,
    every: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Again and again, such as 1m.")
    ] = None,
    out: Out = None,
    data: options.Data = None,
) -> None:
    """Make those anew that are past half of their life, or missing; all there are without names."""
    issuing = _issuing(data, out)
    if every is None:
        _renew(issuing, names)
        return
    pause = _pause(every, issuing.life)
    while True:
        try:
            _renew(issuing, names)
        except (RefusedError, CertificateError) as error:
            # It may be another time: a disk is full for a while, a CA is being restored.
            sys.stderr.write(f"leaky: {error}\n")
        threading.Event().wait(pause)


def _renew(issuing: Issuing, names: list[str] | None) -> None:
    for name in _written(lambda: issuing.renew(names or names_in(issuing.leaves))):
        typer.echo(f"{name}: renewed")


@app.command()
def show(out: Out = None, data: options.Data = None) -> None:
    """Show the CA and all certificates; exit 1 if one is of no use, or there is none."""
    issuing = _issuing(data, out)
    now = moment(issuing.clock)
    found = [leaf(LeafFolder(issuing.leaves / name), now) for name in names_in(issuing.leaves)]
    seen = [*roots(issuing.file, issuing.trust_domain, now), *found]
    print_table(("certificate", "of", "until", ""), map(_row, seen))
    if not found or any(one.problem for one in seen):
        raise typer.Exit(1)


def _row(one: Seen) -> tuple[str, str, str, str]:
    return one.name, one.of, _told(one.until) if one.until else "-", one.problem or "good"


@app.command()
def rotate(
    *,
    now: Annotated[
        bool, typer.Option("--now", help="Everybody has what the step before gave.")
    ] = False,
    data: options.Data = None,
) -> None:
    """Take the next step of a change of roots: believe another, sign with it, drop the former."""
    issuing = _issuing(data, None)
    rotation = Rotation(
        file=issuing.file, trust_domain=issuing.trust_domain, life=issuing.life, clock=SystemClock()
    )
    typer.echo(_written(lambda: rotation.step(at_once=now)))


def _issuing(data: Path | None, out: Path | None) -> Issuing:
    os.umask(_PRIVATE)
    issuing = issuing_of(Live.read(MeshSettings, environment(data)).current)
    return replace(issuing, leaves=out) if out is not None else issuing


def _written(write: Callable[[], T]) -> T:
    try:
        return write()
    except OSError as error:
        raise RefusedError(f"{error.filename} cannot be written: {error.strerror}") from error


def _pause(every: str, life: dt.timedelta) -> float:
    pause, longest = _duration(every, "--every"), life / 4
    if pause > longest:
        message = f"--every: at most a quarter of pki.leaf-ttl, {longest.total_seconds():g}s"
        raise RefusedError(message, code=USAGE)
    return pause.total_seconds()


def _duration(text: str, option: str) -> dt.timedelta:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise RefusedError(f"{option}: {error}", code=USAGE) from error
    if not isinstance(seconds, float) or not 1 <= seconds <= ROOT_LIFE.total_seconds():
        raise RefusedError(f"{option}: from 1s to {ROOT_LIFE.days}d, not {text}", code=USAGE)
    return dt.timedelta(seconds=seconds)


def _told(when: dt.datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"
