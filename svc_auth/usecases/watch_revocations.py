"""Follows revocations."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from svc_auth.domain.revocation import Revocation
from svc_auth.ports import Watch, Watching


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRevocations:
    """Everything that caches must drop, until the caller leaves or falls behind."""

    watching: Watching

    async def __call__(self) -> AsyncGenerator[Revocation, None]:
        """The revocations from this call on, not only from the first look at them."""
        return _told(self.watching.watch())


async def _told(watch: Watch) -> AsyncGenerator[Revocation, None]:
    try:
        async for revocation in watch:
            yield revocation
    finally:
        watch.close()
