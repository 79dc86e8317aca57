"""`leaky probe`: whether services take calls, for the health check of a container."""

import asyncio
from typing import Annotated

import typer

from mesh.cli import options
from mesh.cli.data import environment
from mesh.cli.endpoints import endpoint
from mesh.cli.health import Health, health
from mesh.cli.services import NAMES, check_name
from mesh.settings import Live, MeshSettings


def probe(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SERVICE]...", help=f"{', '.join(NAMES)}; all without."),
    ] = None,
    data: options.Data = None,
) -> None:
    """Ask services on this machine whether they take calls; exit 1 if one does not."""
    chosen = names or list(NAMES)
    for name in chosen:
        check_name(name)
    settings = Live.read(MeshSettings, environment(data)).current
    states = asyncio.run(_ask(settings, chosen))
    for name, state in zip(chosen, states, strict=True):
        typer.echo(f"{name} is {state}")
    if any(state is not Health.HEALTHY for state in states):
        raise typer.Exit(1)


async def _ask(settings: MeshSettings, names: list[str]) -> list[Health]:
    return await asyncio.gather(*(health(endpoint(settings, name)) for name in names))
