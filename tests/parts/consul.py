"""A corner of the Consul that PARTS_CONSUL names: a prefix of its own, cleared afterwards."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from mesh.consul.client import opened
from mesh.settings import Live, MeshSettings
from tests.parts.urls import CONSUL, CONSUL_TOKEN_FILE, url

NAMES = ("gateway", "token", "analytics", "auth", "stubs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Corner:
    """Services and keys of a test begin with `prefix`; `client` may do everything."""

    registry: str
    token: str
    prefix: str
    client: Any

    def env(self, data: Path, **more: str) -> dict[str, str]:
        """What a process of ours reads to find this Consul."""
        tokens = {f"LEAKY_{name.upper()}_CONSUL_TOKEN": self.token for name in NAMES}
        return {"LEAKY_DATA": str(data), "LEAKY_REGISTRY": self.registry, **tokens, **more}

    def settings(self, data: Path, **more: str) -> Live[MeshSettings]:
        """The settings that all services share."""
        return Live.read(MeshSettings, self.env(data, **more))

    async def instances(self, service: str) -> list[dict[str, Any]]:
        """What Consul knows of a service: each instance with its checks."""
        _, nodes = await self.client.health.service(f"{self.prefix}{service}")
        return list(nodes)


def token() -> str:
    """A token that may do everything; empty where there are no ACLs."""
    path = url(CONSUL_TOKEN_FILE)
    return Path(path).read_text().strip() if path else ""


@asynccontextmanager
async def corner(registry: str = "", secret: str = "") -> AsyncIterator[Corner]:
    """A corner of the shared Consul, or of another one."""
    registry, secret = registry or url(CONSUL), secret or token()
    prefix = f"t{uuid4().hex[:12]}-"
    settings = MeshSettings.model_validate(
        {"registry": registry, "gateway": {"consul-token": secret}}
    )
    async with opened(settings, "gateway") as client:
        try:
            yield Corner(registry=registry, token=secret, prefix=prefix, client=client)
        finally:
            await _clear(client, prefix)


async def _clear(client: Any, prefix: str) -> None:
    for name in await client.agent.services():
        if name.startswith(prefix):
            await client.agent.service.deregister(name)
    await client.kv.delete(prefix, recurse=True)
