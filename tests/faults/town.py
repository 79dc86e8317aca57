"""The whole system for a run: its parts, its services, the provider and the databases."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.books import Databases
from tests.faults.child import Child
from tests.faults.provider import Provider, providing
from tests.faults.watch import STORE, Watch
from tests.parts.command import leaky
from tests.parts.native import NativePart, native_part
from tests.ports import free_ports

# Small enough that every user comes to the end of it.
ALLOWANCE = 400
STORES = ("token", "stubs", "analytics")
DATABASE = "postgresql"
PORTS = (
    *(f"{name.upper()}_HTTP" for name in ("gateway", "auth", "token", "analytics")),
    *(f"{name.upper()}_GRPC" for name in ("gateway", "auth", "token", "analytics", "stubs")),
    *(f"STUBS_{name.upper()}_HTTP" for name in ("qwen", "gemini", "openai")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """What a run has; `parts` by their names."""

    parts: Mapping[str, NativePart]
    children: Mapping[str, Child]
    provider: Provider
    databases: Databases
    edge: str
    watch: Watch

    @property
    def tokens(self) -> list[Child]:
        """The two instances that are asked."""
        return [self.children["token"], self.children["token.2"]]

    async def heal(self) -> None:
        """Everything runs again, and nothing is armed."""
        for name, part in self.parts.items():
            if await asyncio.to_thread(part.status):
                await self.start_part(name)
        for child in self.children.values():
            await child.end()
        await self.start()

    async def stop_part(self, name: str) -> None:
        """Returns once its process is gone."""
        if name == DATABASE:
            self.watch.down(STORE)
        await asyncio.to_thread(self.parts[name].stop)

    async def start_part(self, name: str) -> None:
        """Returns once it answers."""
        await asyncio.to_thread(self.parts[name].start)
        if name == DATABASE:
            self.watch.up(STORE)

    async def start(self) -> None:
        """Starts what does not run, and returns when all are ready."""
        begun = [child for child in self.children.values() if not child.runs]
        for child in begun:
            await child.start()
        ready = await asyncio.gather(*(child.ready() for child in begun))
        for child, fine in zip(begun, ready, strict=True):
            if not fine:
                message = f"{child.name} does not start, see {child.log}"
                raise RuntimeError(message)


@asynccontextmanager
async def town(folder: Path, parts: tuple[str, ...]) -> AsyncIterator[Town]:
    """A town that runs; all of it is ended at the end."""
    async with AsyncExitStack() as stack:
        natives = {name: stack.enter_context(native_part(name)) for name in parts}
        for part in natives.values():
            await asyncio.to_thread(part.install)
        await asyncio.gather(*(asyncio.to_thread(part.start) for part in natives.values()))
        watch = Watch()
        watch.up(STORE)
        ports = free_ports(len(PORTS) + 3)
        provider = await stack.enter_async_context(providing(ports[-1]))
        databases = {name: f"{natives['postgresql'].url}/leaky_{name}" for name in STORES}
        env = _env(folder, natives, databases, provider, ports)
        await asyncio.to_thread(leaky, {**os.environ, **env}, "migrate")
        made = Town(
            parts=natives,
            children=_children(folder, env, ports, watch),
            provider=provider,
            databases=Databases(**databases),
            edge=f"http://127.0.0.1:{env['LEAKY_GATEWAY_HTTP_PORT']}",
            watch=watch,
        )
        stack.push_async_callback(_end, made)
        await made.start()
        yield made


async def _end(made: Town) -> None:
    await asyncio.gather(*(child.end() for child in made.children.values()))


def _env(
    folder: Path,
    parts: Mapping[str, NativePart],
    databases: Mapping[str, str],
    provider: Provider,
    ports: list[int],
) -> dict[str, str]:
    env = {f"LEAKY_{name}_PORT": str(port) for name, port in zip(PORTS, ports, strict=False)}
    env |= {f"LEAKY_{name.upper()}_STORE": url for name, url in databases.items()}
    if "redis" in parts:
        env["LEAKY_TOKEN_BUCKET_STORE"] = parts["redis"].url
    if "kafka" in parts:
        env["LEAKY_TOKEN_USAGE_SINK"] = parts["kafka"].url
        env["LEAKY_ANALYTICS_USAGE_SOURCE"] = parts["kafka"].url
    return env | {
        "LEAKY_DATA": str(folder / "data"),
        "LEAKY_PROFILE": "local",
        "LEAKY_PROVIDERS_OPENAI_BASE_URL": provider.url,
        # One window that outlasts every run, so that the cap is one figure.
        "LEAKY_TOKEN_QUOTA_WINDOW": "36500d",
        "LEAKY_TOKEN_TIERS_LEVELS_USER_QUOTA_MAX_TOKENS": str(ALLOWANCE),
        "LEAKY_TOKEN_SAGA_RECOVERY_INTERVAL": "1s",
        "LEAKY_MESH_AUTH_WAIT": "5s",
        "LEAKY_FEATURE_FLAGS_GATEWAY_RATE_LIMITING": "false",
    }


def _children(
    folder: Path, env: Mapping[str, str], ports: list[int], watch: Watch
) -> dict[str, Child]:
    second = {
        "LEAKY_TOKEN_HTTP_PORT": str(ports[-2]),
        "LEAKY_TOKEN_GRPC_PORT": str(ports[-3]),
        "LEAKY_MESH_INSTANCE": "2",
        # What this one advances is compensated.
        "LEAKY_TOKEN_SAGA_SIMULATE_FAILURE": "true",
    }

    def child(name: str, more: Mapping[str, str] = {}) -> Child:
        own = {**env, **more}
        port = int(own[f"LEAKY_{name.partition('.')[0].upper()}_GRPC_PORT"])
        seen = watch if name.partition(".")[0] == "token" else None
        return Child(name, own, port, folder / f"{name}.log", seen)

    made = [child("auth"), child("stubs"), child("analytics"), child("gateway")]
    made += [child("token"), child("token.2", second)]
    return {one.name: one for one in made}
