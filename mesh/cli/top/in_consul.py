"""The instances that Consul knows."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mesh.cli.health import Health
from mesh.cli.services import NAMES
from mesh.cli.top.target import RegistryAwayError, Target
from mesh.consul.client import FAILURES, opened, told, within
from mesh.discovery.answers import metrics_address
from mesh.settings import MeshSettings

NONE = "no instance"


@dataclass(frozen=True, slots=True, kw_only=True)
class InConsul:
    """Asks with the operator's token, else with each service's own."""

    settings: MeshSettings
    token: str | None

    async def targets(self) -> list[Target]:
        """Those of each service, by Consul's checks; one without any is told, too."""
        found = await asyncio.gather(*(self._targets(name) for name in NAMES))
        return [target for some in found for target in some]

    async def _targets(self, service: str) -> list[Target]:
        try:
            async with opened(self.settings, service, token=self.token) as client:
                _, nodes = await within(client.health.service(service))
            return targets(service, nodes)
        except (*FAILURES, KeyError, TypeError) as error:
            raise RegistryAwayError(f"Consul, asked for {service}: {told(error)}") from error


def targets(service: str, nodes: Iterable[Mapping[str, Any]]) -> list[Target]:
    """As health/service answers. Raises KeyError or TypeError for what is no such answer."""
    found = sorted((_target(service, node) for node in nodes), key=lambda one: one.name)
    return found or [Target(service=service, name=service, url=None, health=NONE)]


def _target(service: str, node: Mapping[str, Any]) -> Target:
    known, where = node["Service"], metrics_address(node)
    passing = all(check["Status"] == "passing" for check in node["Checks"])
    return Target(
        service=service,
        name=str(known["ID"]),
        url=f"http://{where}" if where else None,
        health=Health.HEALTHY if passing else Health.NOT_READY,
    )
