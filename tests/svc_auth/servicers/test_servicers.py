"""The rpcs through the interceptors that check fields and map errors."""

import asyncio
import json
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from leaky.auth.v1 import credential_service_pb2 as credentials
from leaky.auth.v1.api_key_service_pb2 import (
    CreateApiKeyRequest,
    CreateApiKeyResponse,
    DeleteApiKeyRequest,
    DeleteApiKeyResponse,
    ListApiKeysRequest,
    ListApiKeysResponse,
    ValidateApiKeyRequest,
    ValidateApiKeyResponse,
)
from leaky.auth.v1.auth_service_pb2 import (
    GetHealthRequest,
    GetHealthResponse,
    LoginRequest,
    LoginResponse,
    RegisterRequest,
    RegisterResponse,
)
from leaky.auth.v1.organization_service_pb2 import (
    DeleteMemberRequest,
    DeleteMemberResponse,
    GetMembershipRequest,
    GetMembershipResponse,
    PutMemberRequest,
    PutMemberResponse,
)
from mesh.errors import AppError
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.interceptors.errors import map_errors
from mesh.rpc.interceptors.validation import ValidationInterceptor
from mesh.rpc.local_channel import LocalChannel
from mesh.rpc.method import rpc
from mesh.rpc.times import timestamp
from svc_auth.servicers.api_key import ApiKeyServicer
from svc_auth.servicers.audit_log import AuditLogServicer
from svc_auth.servicers.auth import AuthServicer
from svc_auth.servicers.credential import CredentialServicer
from svc_auth.servicers.organization import OrganizationServicer

pytestmark = pytest.mark.anyio
ANN = "aaaaaaaa-0000-4000-8000-000000000000"
ORG = "00000000-0000-4000-8000-00000000000a"
RESPONSES: dict[type[Message], type[Message]] = {
    RegisterRequest: RegisterResponse,
    LoginRequest: LoginResponse,
    GetHealthRequest: GetHealthResponse,
    CreateApiKeyRequest: CreateApiKeyResponse,
    ListApiKeysRequest: ListApiKeysResponse,
    DeleteApiKeyRequest: DeleteApiKeyResponse,
    ValidateApiKeyRequest: ValidateApiKeyResponse,
    PutMemberRequest: PutMemberResponse,
    DeleteMemberRequest: DeleteMemberResponse,
    GetMembershipRequest: GetMembershipResponse,
    credentials.ExchangeApiKeyRequest: credentials.ExchangeApiKeyResponse,
    credentials.GetJwksRequest: credentials.GetJwksResponse,
    credentials.GetUserRolesRequest: credentials.GetUserRolesResponse,
}


@pytest.fixture
def channel(house: Any) -> LocalChannel:
    dispatcher = Dispatcher([map_errors, ValidationInterceptor()])
    dispatcher.add(
        AuthServicer(
            sign_up=house.sign_up,
            sign_in=house.login,
            sign_out=house.logout,
            change=house.change_password,
            clock=house.clock,
        )
    )
    dispatcher.add(house.user_servicer)
    dispatcher.add(AuditLogServicer(read=house.read_audit_log))
    dispatcher.add(
        ApiKeyServicer(
            create=house.create,
            keys_of=house.keys,
            delete=house.delete,
            rotate=house.rotate,
            validate=house.validate,
        )
    )
    dispatcher.add(
        OrganizationServicer(put=house.put, delete=house.remove, standing_of=house.standing)
    )
    dispatcher.add(
        CredentialServicer(
            exchange=house.exchange,
            roles_of=house.roles,
            watch=house.watch,
            jwks=house.keyring.jwks,
        )
    )
    return LocalChannel(dispatcher)


async def ask(channel: LocalChannel, request: Message) -> Any:
    return await channel.unary(rpc(type(request), RESPONSES[type(request)]), request)


async def test_health_names_the_service(channel: LocalChannel, house: Any) -> None:
    health = (await ask(channel, GetHealthRequest())).health
    assert (health.service, health.status) == ("auth-server", "ok")
    assert health.timestamp == timestamp(house.clock.now)


async def test_a_registered_user_signs_in_again(channel: LocalChannel, house: Any) -> None:
    asked = RegisterRequest(username="Ann", email="ann@example.com", password="correct horse")
    made = await ask(channel, asked)
    assert (made.username, made.email, list(made.roles)) == ("Ann", "ann@example.com", ["USER"])
    assert made.created_at == timestamp(house.clock.now)
    session = await ask(channel, LoginRequest(username="ann", password="correct horse"))
    assert (session.user_id, session.username) == (made.user_id, "Ann")
    assert session.expires_at.seconds == house.clock.now // 1_000_000 + 3600
    roles = await ask(channel, credentials.GetUserRolesRequest(user_id=made.user_id))
    assert list(roles.roles) == ["USER"]


async def test_a_keys_life(channel: LocalChannel, house: Any) -> None:
    ends = timestamp(house.clock.now + 3_600_000_000)
    asked = CreateApiKeyRequest(user_id=ANN.upper(), name="ci", expires_at=ends)
    key = (await ask(channel, asked)).api_key
    assert key.raw_key == key.api_key
    assert key.raw_key.startswith(f"leaky_{ANN}_")
    assert (key.user_id, key.expires_at) == (ANN, ends)

    shown = await ask(channel, ValidateApiKeyRequest(api_key=key.raw_key))
    assert (shown.user_id, shown.name, list(shown.roles)) == (ANN, "ci", ["USER"])
    exchanged = await ask(channel, credentials.ExchangeApiKeyRequest(api_key=key.raw_key))
    assert (exchanged.api_key_id, exchanged.user_id) == (key.id, ANN)
    assert exchanged.expires_at.seconds == house.clock.now // 1_000_000 + 120

    await house.last_used.flush()
    (listed,) = (await ask(channel, ListApiKeysRequest(user_id=ANN))).api_keys
    assert (listed.id, listed.prefix) == (key.id, key.raw_key[: len(listed.prefix)])
    assert listed.last_used_at == timestamp(house.clock.now)

    await ask(channel, DeleteApiKeyRequest(user_id=ANN, api_key_id=key.id.upper()))
    with pytest.raises(AppError) as caught:
        await ask(channel, ValidateApiKeyRequest(api_key=key.raw_key))
    assert caught.value.outcome.http_status == 401


async def test_a_key_without_expiry_leaves_the_field_unset(channel: LocalChannel) -> None:
    key = (await ask(channel, CreateApiKeyRequest(user_id=ANN, name="ci"))).api_key
    assert not key.HasField("expires_at")
    (listed,) = (await ask(channel, ListApiKeysRequest(user_id=ANN))).api_keys
    assert not listed.HasField("expires_at")
    assert not listed.HasField("last_used_at")


async def test_a_members_life(channel: LocalChannel) -> None:
    await ask(channel, PutMemberRequest(org_id=ORG.upper(), user_id=ANN.upper()))
    membership = await ask(channel, GetMembershipRequest(org_id=ORG, user_id=ANN))
    assert (membership.member, membership.owner) == (True, True)
    await ask(channel, DeleteMemberRequest(org_id=ORG, user_id=ANN))
    membership = await ask(channel, GetMembershipRequest(org_id=ORG, user_id=ANN))
    assert (membership.member, membership.owner) == (False, False)


async def test_the_key_set_is_json(channel: LocalChannel, house: Any) -> None:
    jwks = (await ask(channel, credentials.GetJwksRequest())).jwks
    assert [key["kid"] for key in json.loads(jwks)["keys"]] == [
        house.keyring.session.kid,
        house.keyring.mesh.kid,
    ]


async def test_revocations_are_told_as_they_happen(channel: LocalChannel, house: Any) -> None:
    watch = rpc(credentials.WatchRevocationsRequest, credentials.WatchRevocationsResponse)
    stream = channel.stream(watch, credentials.WatchRevocationsRequest())
    assert (await anext(stream)).kind == credentials.REVOCATION_KIND_UNSPECIFIED
    assert len(house.revocations._watchers) == 2
    key = (await ask(channel, CreateApiKeyRequest(user_id=ANN, name="ci"))).api_key
    await ask(channel, DeleteApiKeyRequest(user_id=ANN, api_key_id=key.id))
    await ask(channel, PutMemberRequest(org_id=ORG, user_id=ANN))
    await house.revocations.poll()
    told = [await anext(stream) for _ in range(2)]
    assert [(said.kind, said.subject) for said in told] == [
        (credentials.REVOCATION_KIND_API_KEY, key.id),
        (credentials.REVOCATION_KIND_MEMBERSHIP, f"{ORG}/{ANN}"),
    ]


async def test_who_hangs_up_is_watched_for_no_longer(channel: LocalChannel, house: Any) -> None:
    heard = asyncio.Event()

    async def follow() -> None:
        watch = rpc(credentials.WatchRevocationsRequest, credentials.WatchRevocationsResponse)
        async for _ in channel.stream(watch, credentials.WatchRevocationsRequest()):
            heard.set()

    before = len(house.revocations._watchers)
    following = asyncio.ensure_future(follow())
    await heard.wait()
    assert len(house.revocations._watchers) == before + 1
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert len(house.revocations._watchers) == before


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (RegisterRequest(), "username"),
        (RegisterRequest(username="a\0bc", email="a@b", password="long enough"), "username"),
        (RegisterRequest(username="abc", email="a@b\0", password="long enough"), "email"),
        (RegisterRequest(username="abc", email="a@b", password="long\0enough"), "password"),
        (RegisterRequest(username="abc", email="a@b", password="short"), "password"),
        (LoginRequest(username="a\0bc", password="long enough"), "username"),
        (LoginRequest(username="abc", password="x" * 257), "password"),
        (CreateApiKeyRequest(user_id="x", name="ci"), "user_id"),
        (CreateApiKeyRequest(user_id=ANN, name="\0"), "name"),
        (CreateApiKeyRequest(user_id=ANN, name="ci", expires_at=Timestamp()), "expires_at"),
        (
            CreateApiKeyRequest(user_id=ANN, name="c", expires_at=Timestamp(seconds=2**63 - 1)),
            "expires_at",
        ),
        (
            CreateApiKeyRequest(user_id=ANN, name="c", expires_at=Timestamp(nanos=-5)),
            "expires_at",
        ),
        (ListApiKeysRequest(), "user_id"),
        (DeleteApiKeyRequest(user_id=ANN, api_key_id="7"), "api_key_id"),
        (PutMemberRequest(org_id="acme", user_id=ANN), "org_id"),
        (DeleteMemberRequest(org_id=ORG, user_id="ann"), "user_id"),
        (GetMembershipRequest(org_id=ORG), "user_id"),
        (credentials.GetUserRolesRequest(user_id="\0"), "user_id"),
        (credentials.ExchangeApiKeyRequest(api_key="x" * 513), "api_key"),
    ],
)
async def test_bad_input_is_a_400_that_names_the_field(
    channel: LocalChannel, request_: Message, field: str
) -> None:
    with pytest.raises(AppError) as caught:
        await ask(channel, request_)
    assert caught.value.outcome.http_status == 400
    assert field in {violation.field for violation in caught.value.violations}


@pytest.mark.parametrize("key", ["", "\t", "leaky_", "x" * 5000])
async def test_what_is_no_key_is_a_401(channel: LocalChannel, key: str) -> None:
    with pytest.raises(AppError) as caught:
        await ask(channel, ValidateApiKeyRequest(api_key=key))
    assert caught.value.outcome.http_status == 401
