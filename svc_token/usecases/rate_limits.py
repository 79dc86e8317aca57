"""How a user's rate bucket stands."""

from dataclasses import dataclass

from mesh.identity.principal import Principal
from svc_token.domain.bucket import Decision, Strategy
from svc_token.domain.spend import bucket_key
from svc_token.ports import Buckets, Limits
from svc_token.usecases.owner_roles import OwnerRoles


@dataclass(frozen=True, slots=True, kw_only=True)
class GetRateLimit:
    """Reads a bucket and takes nothing from it."""

    buckets: Buckets
    limits: Limits
    owner_roles: OwnerRoles

    async def __call__(
        self, user_id: str, provider: str, principal: Principal
    ) -> tuple[Strategy, Decision]:
        """The bucket. Raises AppError UNKNOWN_PROVIDER, or UNAVAILABLE when it cannot be asked.

        That does not depend on whether calls go on then: nobody knows how it stands.
        """
        self.limits.provider(provider)
        roles = await self.owner_roles(user_id, principal)
        rule = self.limits.bucket(roles, provider)
        return rule.strategy, await self.buckets.peek(bucket_key(user_id, provider), rule)
