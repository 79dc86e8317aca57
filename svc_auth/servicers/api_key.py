"""leaky.auth.v1.ApiKeyService."""

from dataclasses import dataclass
from typing import ClassVar

from google.protobuf.descriptor import ServiceDescriptor

from leaky.auth.v1 import api_key_service_pb2
from leaky.auth.v1.api_key_pb2 import ApiKey as ApiKeyMessage
from leaky.auth.v1.api_key_pb2 import NewApiKey
from leaky.auth.v1.api_key_service_pb2 import (
    CreateApiKeyRequest,
    CreateApiKeyResponse,
    DeleteApiKeyRequest,
    DeleteApiKeyResponse,
    ListApiKeysRequest,
    ListApiKeysResponse,
    RotateApiKeyRequest,
    RotateApiKeyResponse,
    ValidateApiKeyRequest,
    ValidateApiKeyResponse,
)
from mesh.rpc.call import Call
from mesh.rpc.times import timestamp
from svc_auth.domain.api_key import ApiKey
from svc_auth.servicers.caller import caller_of
from svc_auth.servicers.wire import micros_of, optional_timestamp, uuid_of
from svc_auth.usecases.create_api_key import CreateApiKey
from svc_auth.usecases.delete_api_key import DeleteApiKey
from svc_auth.usecases.list_api_keys import ListApiKeys
from svc_auth.usecases.rotate_api_key import RotateApiKey
from svc_auth.usecases.validate_api_key import ValidateApiKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyServicer:
    """API keys of users."""

    SERVICE: ClassVar[ServiceDescriptor] = api_key_service_pb2.DESCRIPTOR.services_by_name[
        "ApiKeyService"
    ]
    create: CreateApiKey
    keys_of: ListApiKeys
    delete: DeleteApiKey
    rotate: RotateApiKey
    validate: ValidateApiKey

    async def create_api_key(
        self, request: CreateApiKeyRequest, call: Call
    ) -> CreateApiKeyResponse:
        """Makes a key and shows it, once."""
        expires = request.expires_at if request.HasField("expires_at") else None
        key, text = await self.create(
            caller_of(call),
            user_id=uuid_of("user_id", request.user_id),
            name=request.name,
            expires_at=None if expires is None else micros_of("expires_at", expires),
            scopes=request.scopes,
            providers=request.providers,
        )
        return CreateApiKeyResponse(api_key=_shown(key, text))

    async def rotate_api_key(
        self, request: RotateApiKeyRequest, call: Call
    ) -> RotateApiKeyResponse:
        """Makes a key in another's place."""
        key, text = await self.rotate(
            caller_of(call),
            user_id=uuid_of("user_id", request.user_id),
            key_id=uuid_of("api_key_id", request.api_key_id),
        )
        return RotateApiKeyResponse(api_key=_shown(key, text))

    async def list_api_keys(self, request: ListApiKeysRequest, _call: Call) -> ListApiKeysResponse:
        """A user's keys, never their texts."""
        keys = await self.keys_of(user_id=uuid_of("user_id", request.user_id))
        return ListApiKeysResponse(api_keys=[_message(key) for key in keys])

    async def delete_api_key(
        self, request: DeleteApiKeyRequest, call: Call
    ) -> DeleteApiKeyResponse:
        """Revokes a key."""
        await self.delete(
            caller_of(call),
            user_id=uuid_of("user_id", request.user_id),
            key_id=uuid_of("api_key_id", request.api_key_id),
        )
        return DeleteApiKeyResponse()

    async def validate_api_key(
        self, request: ValidateApiKeyRequest, _call: Call
    ) -> ValidateApiKeyResponse:
        """Says whose key it is."""
        holder = await self.validate(request.api_key)
        return ValidateApiKeyResponse(
            user_id=holder.key.user_id,
            name=holder.key.name,
            expires_at=optional_timestamp(holder.key.ends_at),
            roles=holder.roles,
        )


def _shown(key: ApiKey, text: str) -> NewApiKey:
    return NewApiKey(
        id=key.id,
        user_id=key.user_id,
        name=key.name,
        created_at=timestamp(key.created_at),
        expires_at=optional_timestamp(key.ends_at),
        raw_key=text,
        api_key=text,
        scopes=key.scopes,
        providers=key.providers,
    )


def _message(key: ApiKey) -> ApiKeyMessage:
    return ApiKeyMessage(
        id=key.id,
        user_id=key.user_id,
        name=key.name,
        created_at=timestamp(key.created_at),
        expires_at=optional_timestamp(key.ends_at),
        last_used_at=optional_timestamp(key.last_used_at),
        prefix=key.prefix,
        scopes=key.scopes,
        providers=key.providers,
    )
