"""Revokes API keys."""

from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_API_KEY_NOT_FOUND
from mesh.clock import Clock
from mesh.errors import AppError
from svc_auth.domain import revocation
from svc_auth.domain.audit import Action
from svc_auth.domain.caller import Caller
from svc_auth.domain.record import Record
from svc_auth.ports import ApiKeys, Revocations
from svc_auth.usecases.create_api_key import key_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteApiKey:
    """Revokes a key and has every cache drop it."""

    keys: ApiKeys
    revocations: Revocations
    clock: Clock

    async def __call__(self, caller: Caller, *, user_id: str, key_id: str) -> None:
        """AppError API_KEY_NOT_FOUND when the user has no such key, or no longer."""
        now = self.clock.now_us()
        entry = key_entry(caller, Action.API_KEY_REVOKED, key_id, user_id, at=now)
        record = Record(entry=entry, revocations=(revocation.of_key(key_id, at=now),))
        if not await self.keys.revoke_key(user_id, key_id, at=now, record=record):
            raise AppError(REASON_API_KEY_NOT_FOUND, "API key not found")
        self.revocations.announce()
