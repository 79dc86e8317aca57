"""Sends this process's spans to where `tracing.endpoint` says, by OTLP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Thread

from mesh.settings import Live, MeshSettings
from mesh.telemetry.tracing.tracer import TRACING

# What is kept of spans when the process ends and nobody takes them.
END_SECONDS = 3.0


@asynccontextmanager
async def exporting(
    settings: Live[MeshSettings], service: str, version: str
) -> AsyncIterator[None]:
    """Traces during the block, at the ratio that the settings have at the time.

    Spans wait in a bounded queue and go in batches, from a thread of their own: when
    nobody takes them they are dropped, and no call waits or fails for it.
    """
    endpoint = settings.current.tracing.endpoint
    if not endpoint:
        yield
        return
    # It is much to import for those who do not need it.
    from mesh.telemetry.tracing.otlp import provider_to  # noqa: PLC0415

    provider, ids = provider_to(endpoint, service, version)
    TRACING.sample(settings.current.tracing.sample_ratio)
    settings.on_change(lambda changed: TRACING.sample(changed.tracing.sample_ratio))
    TRACING.use(provider.get_tracer("leaky", version), ids)
    try:
        yield
    finally:
        TRACING.use(None)
        # It would wait for a collector that is away; a daemon is left behind.
        ending = Thread(target=provider.shutdown, name="traces-end", daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, END_SECONDS)
