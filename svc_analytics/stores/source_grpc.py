"""The source for `grpc://`: svc_token calls IngestService, and there is nothing to fetch."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def open_source(_url: str, *, topic: str, group: str) -> AsyncIterator[None]:
    """No source of its own."""
    del topic, group
    yield None
