"""Lists what a user has allowed applications."""

from collections.abc import Sequence
from dataclasses import dataclass

from svc_auth.domain.oauth2.consent import Consent
from svc_auth.ports_oauth2 import Consents


@dataclass(frozen=True, slots=True, kw_only=True)
class ListConsents:
    """What a user has allowed."""

    consents: Consents

    async def __call__(self, *, user_id: str) -> Sequence[Consent]:
        """All of it, oldest first; nothing for a user that is not known."""
        return await self.consents.consents_of(user_id)
