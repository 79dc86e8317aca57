"""Opens py-consul's asyncio client as the settings say.

py-consul lets CONSUL_HTTP_TOKEN win over the token it is given; here the
settings alone count. Its calls fail with what is in `FAILURES`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from consul.aio import Consul
from consul.exceptions import ConsulException

from mesh.consul.token import token_of
from mesh.settings.model import MeshSettings
from mesh.telemetry.redact import scrub

PORT = 8500
# How long a blocking query waits for a change, and how much later its answer may come:
# Consul adds up to a sixteenth, against queries that all return at once.
WAIT_SECONDS = 30
WAIT_LATEST_SECONDS = WAIT_SECONDS * 17 / 16 + 5
# For every other call: the agent is on this machine or next to it.
CALL_SECONDS = 5.0
# What a call may fail with; aiohttp's own errors come through py-consul as they are, and
# ValueError is an answer that is no JSON, as of somebody else's server.
FAILURES = (ConsulException, aiohttp.ClientError, TimeoutError, OSError, ValueError)
_SHOWN = 200


def address(settings: MeshSettings) -> tuple[str, int]:
    """The agent's host and port, from `registry`. Raises ValueError for a bad port."""
    url = urlsplit(settings.registry)
    return url.hostname or "127.0.0.1", url.port or PORT


@asynccontextmanager
async def opened(
    settings: MeshSettings, service: str, *, token: str | None = None
) -> AsyncIterator[Any]:
    """A `consul.aio.Consul` that shows this token, else the service's own; closed at the end.

    Nothing is sent yet. Bound every call: by `within` or by asyncio.timeout.
    Raises SettingsError for a token of the service that cannot be read.
    """
    token = token or token_of(settings, service)
    host, port = address(settings)
    # Without `verify` no certificates are loaded, which a plain connection has no use for.
    bracketed = f"[{host}]" if ":" in host else host
    client = Consul(
        bracketed, port, scheme="http", verify=False, connections_timeout=WAIT_LATEST_SECONDS
    )
    client.token = token
    try:
        yield client
    finally:
        await client.close()


async def within(call: Awaitable[Any], seconds: float = CALL_SECONDS) -> Any:
    """The call's answer. Raises TimeoutError when it takes longer."""
    async with asyncio.timeout(seconds):
        return await call


def told(error: BaseException) -> str:
    """What a failure says, short and without secrets."""
    text = " ".join(str(error).split()) or type(error).__name__
    return scrub(text)[:_SHOWN]
