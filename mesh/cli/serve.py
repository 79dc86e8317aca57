"""`leaky serve`: one service in the foreground."""

from typing import Annotated

import typer
from setproctitle import setproctitle

from mesh.cli import options
from mesh.cli.data import environment
from mesh.cli.refusal import explained
from mesh.cli.services import NAMES, service


def serve(
    name: Annotated[str, typer.Argument(metavar="SERVICE", help=", ".join(NAMES))],
    data: options.Data = None,
) -> None:
    """Run one service in the foreground."""
    found = service(name)
    from mesh.cli import foreground  # noqa: PLC0415 much to import, so only where it is used

    foreground.run(found, environment(data))


def serve_forked(name: str) -> None:
    """The same in a process that `leaky up` has forked off; its environment says the rest."""
    setproctitle(f"leaky serve {name}")
    with explained():
        serve(name)
