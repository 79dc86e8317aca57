"""`leaky`: runs the whole system, and looks after it."""

from importlib.metadata import version
from typing import Annotated

import typer

from mesh.cli import (
    admin,
    audit,
    config,
    consul,
    down,
    migrate,
    outbox,
    pki,
    probe,
    serve,
    status,
    up,
)
from mesh.cli.doctor.command import doctor
from mesh.cli.reconcile import reconcile
from mesh.cli.refusal import explained
from mesh.cli.top.command import top

app = typer.Typer(
    name="leaky",
    help="Leaky Tokens: a gateway in front of paid AI providers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(up.up)
app.command()(serve.serve)
app.command()(status.status)
app.command()(probe.probe)
app.command()(down.down)
app.command()(migrate.migrate)
app.command()(top)
app.command()(doctor)
app.command()(reconcile)
app.command()(audit.audit)
app.add_typer(config.app, name="config")
app.add_typer(consul.app, name="consul")
app.add_typer(admin.app, name="admin")
app.add_typer(outbox.app, name="outbox")
app.add_typer(pki.app, name="pki")


def _version(asked: bool) -> None:  # noqa: FBT001 typer's own way
    if asked:
        typer.echo(f"leaky {version('leaky-tokens')}")
        raise typer.Exit


@app.callback()
def root(
    *,
    _asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="The version.")
    ] = False,
) -> None:
    """Leaky Tokens: a gateway in front of paid AI providers."""


def main() -> None:
    """Runs the command; what it refuses is one line on stderr."""
    with explained():
        app(prog_name="leaky")
