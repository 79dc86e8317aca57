"""The roles that decide over an owner's limits."""

from dataclasses import dataclass

from mesh.identity.principal import Principal
from svc_token.ports import Roles


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerRoles:
    """A user's own credential says its roles; of anyone else svc_auth is asked."""

    roles: Roles

    async def __call__(self, user_id: str, principal: Principal) -> frozenset[str]:
        """Role names. Raises AppError UNAVAILABLE when nobody can say."""
        if principal.user_id == user_id:
            return principal.roles
        return await self.roles.of(user_id)
