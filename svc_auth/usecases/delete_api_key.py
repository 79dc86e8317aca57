"""Revokes API keys."""

from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_API_KEY_NOT_FOUND
from mesh.clock import Clock
from mesh.errors import AppError
from svc_auth.domain.revocation import Kind
from svc_auth.ports import ApiKeys, Revocations
from svc_auth.usecases.finish import finish


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteApiKey:
    """Revokes a key and has every cache drop it."""

    keys: ApiKeys
    revocations: Revocations
    clock: Clock

    async def __call__(self, *, user_id: str, key_id: str) -> None:
        """AppError API_KEY_NOT_FOUND when the user has no such key, or no longer."""
        if not await finish(self._revoke(user_id, key_id)):
            raise AppError(REASON_API_KEY_NOT_FOUND, "API key not found")

    async def _revoke(self, user_id: str, key_id: str) -> bool:
        revoked = await self.keys.revoke_key(user_id, key_id, at=self.clock.now_us())
        if revoked:
            self.revocations.publish(Kind.API_KEY, key_id)
        return revoked
