"""Exchanges API keys for tokens of the mesh."""

from dataclasses import dataclass

from mesh.clock import Clock
from svc_auth.domain.api_key import ApiKey
from svc_auth.domain.claims import Subject, Token
from svc_auth.ports import Tokens
from svc_auth.usecases.validate_api_key import ValidateApiKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeApiKey:
    """Turns a key into a short-lived token that every service can verify by itself."""

    validate: ValidateApiKey
    tokens: Tokens
    clock: Clock

    async def __call__(self, text: str) -> tuple[ApiKey, Token]:
        """The key and a token that does not outlive it; fails as ValidateApiKey does."""
        at = self.clock.now_us()
        holder = await self.validate(text)
        subject = Subject(
            user_id=holder.key.user_id,
            username=holder.username,
            roles=holder.roles,
            api_key_id=holder.key.id,
            scopes=holder.key.scopes,
            providers=holder.key.providers,
        )
        return holder.key, self.tokens.mesh(subject, at=at, not_after=holder.key.ends_at)
