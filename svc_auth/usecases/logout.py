"""Ends sessions."""

from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_INVALID_ARGUMENT, REASON_UNAUTHENTICATED
from mesh.clock import Clock
from mesh.errors import AppError
from svc_auth.domain.audit import Action, AuditEntry, SubjectKind
from svc_auth.domain.caller import Caller
from svc_auth.domain.record import Record
from svc_auth.domain.revocation import of_token
from svc_auth.ports import RevocationLog, Revocations


@dataclass(frozen=True, slots=True, kw_only=True)
class Logout:
    """Has a session's token refused everywhere."""

    log: RevocationLog
    revocations: Revocations
    clock: Clock

    async def __call__(self, caller: Caller, *, token_id: str, expires_at: int) -> None:
        """AppError UNAUTHENTICATED without a session, INVALID_ARGUMENT for an API key."""
        if not token_id:
            raise AppError(REASON_UNAUTHENTICATED, "there is no session to end")
        if caller.api_key_id:
            raise AppError(REASON_INVALID_ARGUMENT, "an API key is ended by deleting it")
        now = self.clock.now_us()
        entry = AuditEntry(
            caller=caller,
            action=Action.LOGOUT,
            subject_kind=SubjectKind.TOKEN,
            subject_id=token_id[:100],
            user_id=caller.actor,
            at=now,
        )
        revoked = of_token(token_id, at=now, expires_at=expires_at)
        await self.log.revoke(Record(entry=entry, revocations=(revoked,)))
        self.revocations.announce()
