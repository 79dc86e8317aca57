"""Lists API keys."""

from collections.abc import Sequence
from dataclasses import dataclass

from svc_auth.domain.api_key import ApiKey
from svc_auth.ports import ApiKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class ListApiKeys:
    """A user's keys that are not revoked."""

    keys: ApiKeys

    async def __call__(self, *, user_id: str) -> Sequence[ApiKey]:
        """The keys, oldest first; none for a user that is not known."""
        return await self.keys.keys_of(user_id)
