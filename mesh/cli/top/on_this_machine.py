"""The instances that `leaky up` runs here, or those that the settings name."""

import asyncio
from dataclasses import dataclass

from mesh.cli.health import health
from mesh.cli.state import Running
from mesh.cli.status import services_of
from mesh.cli.top.target import Target
from mesh.discovery.instances import address
from mesh.settings import MeshSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class OnThisMachine:
    """Asked again each time, as the system may have been started anew on other ports."""

    settings: MeshSettings

    async def targets(self) -> list[Target]:
        """Every one, by its own health."""
        services = services_of(self.settings)
        return list(await asyncio.gather(*(_target(each) for each in services)))


async def _target(each: Running) -> Target:
    at = each.endpoint
    port = at.own_http or at.http[0]
    return Target(
        service=at.service,
        name=at.name,
        url=f"http://{address(at.host, port.number)}",
        health=await health(at),
    )
