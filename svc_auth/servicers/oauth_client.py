"""leaky.auth.v1.OauthClientService."""

from dataclasses import dataclass
from typing import Any, ClassVar

from google.protobuf.descriptor import ServiceDescriptor

from leaky.auth.v1 import oauth_client_service_pb2
from leaky.auth.v1.oauth_client_pb2 import NewOauthClient, OauthClient
from leaky.auth.v1.oauth_client_service_pb2 import (
    CreateOauthClientRequest,
    CreateOauthClientResponse,
    DeleteOauthClientRequest,
    DeleteOauthClientResponse,
    ListOauthClientsRequest,
    ListOauthClientsResponse,
    RotateOauthClientSecretRequest,
    RotateOauthClientSecretResponse,
)
from mesh.rpc.call import Call
from mesh.rpc.times import timestamp
from svc_auth.domain.oauth2.client import OAuthClient
from svc_auth.servicers.caller import caller_of
from svc_auth.usecases.oauth2.list_clients import ListClients
from svc_auth.usecases.oauth2.register_client import RegisterClient, Registration
from svc_auth.usecases.oauth2.remove_client import RemoveClient
from svc_auth.usecases.oauth2.rotate_secret import RotateSecret


@dataclass(frozen=True, slots=True, kw_only=True)
class OauthClientServicer:
    """Applications that may ask users for access."""

    SERVICE: ClassVar[ServiceDescriptor] = oauth_client_service_pb2.DESCRIPTOR.services_by_name[
        "OauthClientService"
    ]
    register: RegisterClient
    clients: ListClients
    rotate: RotateSecret
    remove: RemoveClient

    async def create_oauth_client(
        self, request: CreateOauthClientRequest, call: Call
    ) -> CreateOauthClientResponse:
        """Registers a client and shows its secret, once."""
        pkce = request.require_pkce if request.HasField("require_pkce") else True
        client, secret = await self.register(
            caller_of(call),
            Registration(
                client_id=request.client_id,
                name=request.name,
                public=request.public,
                redirect_uris=tuple(request.redirect_uris),
                scopes=tuple(request.scopes),
                grant_types=tuple(request.grant_types),
                require_pkce=pkce,
                post_logout_redirect_uris=tuple(request.post_logout_redirect_uris),
            ),
        )
        return CreateOauthClientResponse(
            client=NewOauthClient(**_fields(client), client_secret=secret)
        )

    async def list_oauth_clients(
        self, _request: ListOauthClientsRequest, _call: Call
    ) -> ListOauthClientsResponse:
        """All clients, never their secrets."""
        messages = [OauthClient(**_fields(client)) for client in await self.clients()]
        return ListOauthClientsResponse(clients=messages)

    async def rotate_oauth_client_secret(
        self, request: RotateOauthClientSecretRequest, call: Call
    ) -> RotateOauthClientSecretResponse:
        """Has a new secret count, and shows it, once."""
        secret = await self.rotate(caller_of(call), client_id=request.client_id)
        return RotateOauthClientSecretResponse(client_id=request.client_id, client_secret=secret)

    async def delete_oauth_client(
        self, request: DeleteOauthClientRequest, call: Call
    ) -> DeleteOauthClientResponse:
        """Forgets a client."""
        await self.remove(caller_of(call), client_id=request.client_id)
        return DeleteOauthClientResponse()


def _fields(client: OAuthClient) -> dict[str, Any]:
    return {
        "client_id": client.id,
        "name": client.name,
        "confidential": client.confidential,
        "redirect_uris": client.redirect_uris,
        "scopes": client.scopes,
        "grant_types": client.grant_types,
        "require_pkce": client.require_pkce,
        "created_at": timestamp(client.created_at),
        "post_logout_redirect_uris": client.post_logout_redirect_uris,
    }
