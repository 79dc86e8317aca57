"""Takes back what a user has allowed an application."""

from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_OAUTH_CONSENT_NOT_FOUND
from mesh.clock import Clock
from mesh.errors import AppError
from svc_auth.domain.audit import Action
from svc_auth.domain.caller import Caller
from svc_auth.domain.oauth2.audit import client_entry
from svc_auth.domain.record import Record
from svc_auth.domain.text import storable
from svc_auth.ports import Revocations
from svc_auth.ports_oauth2 import Consents


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawConsent:
    """Ends what an application has of a user, and has the user asked again the next time."""

    consents: Consents
    revocations: Revocations
    clock: Clock

    async def __call__(self, caller: Caller, *, user_id: str, client_id: str) -> None:
        """AppError OAUTH_CONSENT_NOT_FOUND when the user has allowed it nothing, or no longer."""
        now = self.clock.now_us()
        action = Action.OAUTH_CONSENT_WITHDRAWN
        entry = client_entry(caller, action, client_id, at=now, user_id=user_id)
        if not storable(client_id) or not await self.consents.withdraw_consent(
            user_id, client_id, at=now, record=Record(entry=entry)
        ):
            raise AppError(
                REASON_OAUTH_CONSENT_NOT_FOUND, "the user has not allowed this application anything"
            )
        self.revocations.announce()
