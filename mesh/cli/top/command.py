"""`leaky top`."""

from pathlib import Path
from typing import Annotated

import typer

from mesh.cli import options

_SHORTEST, _LONGEST = 0.2, 3600.0


def top(
    data: options.Data = None,
    *,
    interval: Annotated[
        float, typer.Option(min=_SHORTEST, max=_LONGEST, help="Seconds between two frames.")
    ] = 2.0,
    once: Annotated[
        bool, typer.Option("--once", help="One frame, after one interval, and no more.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Each frame as one line of JSON; null is unknown.")
    ] = False,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Shown to Consul; else CONSUL_HTTP_TOKEN, else the services' own tokens.",
        ),
    ] = None,
) -> None:
    """Show live how services and instances are doing, from their /metrics; Ctrl-C ends it."""
    # Every `leaky serve` reads this file; HTTP and Consul's client are much to import.
    from mesh.cli.top.show import run  # noqa: PLC0415

    run(data, interval=interval, once=once, as_json=as_json, token_file=token_file)
