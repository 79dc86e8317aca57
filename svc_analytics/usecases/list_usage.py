"""The newest events of a provider."""

from collections.abc import Sequence
from dataclasses import dataclass

from svc_analytics.domain.usage import UsageEvent
from svc_analytics.metrics import USAGE
from svc_analytics.ports import UsageStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ListUsage:
    """Newest first; an unknown provider has none."""

    store: UsageStore

    async def __call__(
        self, provider: str, *, limit: int = 20, only_user: str | None = None
    ) -> Sequence[UsageEvent]:
        """At most `limit` events; with `only_user` that user's alone."""
        USAGE.inc()
        return await self.store.newest(provider, user=only_user, limit=limit)
