"""`leaky status`: how the services are."""

import asyncio

import typer

from mesh.cli import options
from mesh.cli.data import LOCK, environment, holder, runner
from mesh.cli.endpoints import endpoint
from mesh.cli.health import Health, health
from mesh.cli.screen import print_table
from mesh.cli.services import NAMES
from mesh.cli.state import Running, read_state
from mesh.cli.up import addresses
from mesh.settings import Live, MeshSettings


def status(data: options.Data = None) -> None:
    """Show address, health and pid of each service; exit 1 if any is not healthy."""
    settings = Live.read(MeshSettings, environment(data)).current
    services = services_of(settings)
    states = asyncio.run(_ask(services, anywhere=settings.uses_consul))
    print_table(
        ("service", "REST", "gRPC", "pid", "health"),
        [
            (*addresses(each.endpoint), str(each.pid or "-"), state)
            for each, state in zip(services, states, strict=True)
        ],
    )
    if any(state is not Health.HEALTHY for state in states):
        raise typer.Exit(1)


def services_of(settings: MeshSettings) -> list[Running]:
    """Those on this machine: as the running `leaky up` told; without one, as the settings say."""
    if holder(settings.data / LOCK) is not None and (told := read_state(settings.data)):
        return told
    return [
        Running(endpoint=endpoint(settings, name), pid=runner(settings.data, name))
        for name in NAMES
    ]


async def _ask(services: list[Running], *, anywhere: bool) -> list[Health]:
    async def ask(each: Running) -> Health:
        # Another system may be on its ports.
        known = anywhere or each.pid is not None
        return await health(each.endpoint) if known else Health.NOT_RUNNING

    return await asyncio.gather(*map(ask, services))
