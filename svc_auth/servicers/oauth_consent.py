"""leaky.auth.v1.OauthConsentService."""

from dataclasses import dataclass
from typing import ClassVar

from google.protobuf.descriptor import ServiceDescriptor

from leaky.auth.v1 import oauth_consent_service_pb2
from leaky.auth.v1.oauth_consent_pb2 import OauthConsent
from leaky.auth.v1.oauth_consent_service_pb2 import (
    DeleteOauthConsentRequest,
    DeleteOauthConsentResponse,
    ListOauthConsentsRequest,
    ListOauthConsentsResponse,
)
from mesh.rpc.call import Call
from mesh.rpc.times import timestamp
from svc_auth.domain.oauth2.consent import Consent
from svc_auth.servicers.caller import caller_of
from svc_auth.servicers.wire import optional_timestamp, uuid_of
from svc_auth.usecases.oauth2.list_consents import ListConsents
from svc_auth.usecases.oauth2.withdraw_consent import WithdrawConsent


@dataclass(frozen=True, slots=True, kw_only=True)
class OauthConsentServicer:
    """What users have allowed applications."""

    SERVICE: ClassVar[ServiceDescriptor] = oauth_consent_service_pb2.DESCRIPTOR.services_by_name[
        "OauthConsentService"
    ]
    consents_of: ListConsents
    withdraw: WithdrawConsent

    async def list_oauth_consents(
        self, request: ListOauthConsentsRequest, _call: Call
    ) -> ListOauthConsentsResponse:
        """What a user has allowed."""
        found = await self.consents_of(user_id=uuid_of("user_id", request.user_id))
        return ListOauthConsentsResponse(consents=map(_message, found))

    async def delete_oauth_consent(
        self, request: DeleteOauthConsentRequest, call: Call
    ) -> DeleteOauthConsentResponse:
        """Takes it back."""
        user_id = uuid_of("user_id", request.user_id)
        await self.withdraw(caller_of(call), user_id=user_id, client_id=request.client_id)
        return DeleteOauthConsentResponse()


def _message(consent: Consent) -> OauthConsent:
    return OauthConsent(
        client_id=consent.client_id,
        client_name=consent.client_name,
        scopes=consent.scopes,
        created_at=timestamp(consent.created_at),
        last_used_at=optional_timestamp(consent.last_used_at),
    )
