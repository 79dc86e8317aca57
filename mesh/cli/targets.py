"""Serves Prometheus' targets until SIGTERM or SIGINT."""

import asyncio
import signal
from urllib.parse import urlsplit

from mesh.cli.refusal import USAGE, RefusedError
from mesh.cli.services import NAMES
from mesh.consul.client import opened
from mesh.consul.targets import Targets
from mesh.http_server import HttpServer
from mesh.rpc.server import PortTakenError
from mesh.settings import MeshSettings
from mesh.telemetry import logs

_GRACE_SECONDS = 1.0


def run(start: MeshSettings, token: str, listen: str) -> None:
    """Asks the Consul of `start` with this token. Raises RefusedError."""
    logs.configure("targets", start.log.level)
    host, port = _parsed(listen)
    try:
        asyncio.run(_serve(start, token, host, port))
    except PortTakenError as error:
        raise RefusedError(str(error)) from error


def _parsed(listen: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{listen}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port:
        raise RefusedError(f"--listen takes HOST:PORT, not {listen}", code=USAGE)
    return host, port


async def _serve(start: MeshSettings, token: str, host: str, port: int) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with opened(start, NAMES[0], token=token) as client:
        server = HttpServer(
            Targets(client=client, services=NAMES).app(), host, port, _GRACE_SECONDS
        )
        await server.start()
        try:
            await stop.wait()
        finally:
            await server.stop()
