"""Where traces are sent: whether a collector listens there."""

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit

from mesh.cli.doctor.case import Case
from mesh.cli.doctor.finding import Finding, ok, warn

SUBJECT = "tracing.endpoint"
SECONDS = 3.0


async def check(case: Case) -> list[Finding]:
    """Nothing where nothing is traced; calls work all the same where nobody listens."""
    endpoints = {each.tracing.endpoint for each in case.services.values()} - {""}
    return [await _asked(endpoint) for endpoint in sorted(endpoints)]


async def _asked(endpoint: str) -> Finding:
    parts = urlsplit(endpoint)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(SECONDS):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except (OSError, TimeoutError):
        what = f"no collector listens at {parts.hostname}:{port}: traces are dropped"
        return warn(SUBJECT, what, "Start it, or correct LEAKY_TRACING_ENDPOINT.")
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return ok(SUBJECT, f"a collector listens at {parts.hostname}:{port}")
