"""The rpcs through the interceptors that check fields and map errors."""

import asyncio
import json
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from leaky.auth.v1 import credential_service_pb2 as credentials
from leaky.auth.v1 import invitation_service_pb2 as invitations
from leaky.auth.v1 import organization_service_pb2 as orgs
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
from svc_auth.servicers.invitation import InvitationServicer
from svc_auth.servicers.organization import OrganizationServicer

pytestmark = pytest.mark.anyio
ANN = "aaaaaaaa-0000-4000-8000-000000000000"
BOB = "bbbbbbbb-0000-4000-8000-000000000000"
ORG = "00000000-0000-4000-8000-00000000000a"
RESPONSES: dict[type[Message], type[Message]] = {
    RegisterRequest: RegisterResponse,
    LoginRequest: LoginResponse,
    GetHealthRequest: GetHealthResponse,
    CreateApiKeyRequest: CreateApiKeyResponse,
    ListApiKeysRequest: ListApiKeysResponse,
    DeleteApiKeyRequest: DeleteApiKeyResponse,
    ValidateApiKeyRequest: ValidateApiKeyResponse,
    orgs.CreateOrganizationRequest: orgs.CreateOrganizationResponse,
    orgs.ListOrganizationsRequest: orgs.ListOrganizationsResponse,
    orgs.GetOrganizationRequest: orgs.GetOrganizationResponse,
    orgs.RenameOrganizationRequest: orgs.RenameOrganizationResponse,
    orgs.ListMembersRequest: orgs.ListMembersResponse,
    orgs.PutMemberRequest: orgs.PutMemberResponse,
    orgs.SetMemberRoleRequest: orgs.SetMemberRoleResponse,
    orgs.DeleteMemberRequest: orgs.DeleteMemberResponse,
    orgs.LeaveOrganizationRequest: orgs.LeaveOrganizationResponse,
    orgs.TransferOwnershipRequest: orgs.TransferOwnershipResponse,
    orgs.GetMembershipRequest: orgs.GetMembershipResponse,
    invitations.CreateInvitationRequest: invitations.CreateInvitationResponse,
    invitations.ListInvitationsRequest: invitations.ListInvitationsResponse,
    invitations.DeleteInvitationRequest: invitations.DeleteInvitationResponse,
    invitations.AcceptInvitationRequest: invitations.AcceptInvitationResponse,
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
        OrganizationServicer(
            create=house.create_org,
            find=house.find_org,
            organizations_of=house.orgs_of,
            rename=house.rename_org,
            members_of=house.members_of,
            put=house.put,
            set_role=house.set_role,
            delete=house.remove,
            transfer=house.transfer,
            standing_of=house.standing,
        )
    )
    dispatcher.add(
        InvitationServicer(
            invite=house.invite,
            invitations_of=house.invitations,
            delete=house.withdraw,
            accept=house.accept,
        )
    )
    dispatcher.add(
        CredentialServicer(
            exchange=house.exchange,
            roles_of=house.roles,
            watch=house.watch,
            keys=house.keyring,
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


async def standing(channel: LocalChannel, org_id: str = ORG, user_id: str = ANN) -> str:
    response = await ask(channel, orgs.GetMembershipRequest(org_id=org_id, user_id=user_id))
    return str(response.standing)


async def test_a_members_life(channel: LocalChannel) -> None:
    await ask(channel, orgs.PutMemberRequest(org_id=ORG.upper(), user_id=ANN.upper()))
    assert await standing(channel) == "OWNER"
    await ask(channel, orgs.DeleteMemberRequest(org_id=ORG, user_id=ANN))
    assert await standing(channel) == ""


async def test_an_organisations_life(channel: LocalChannel, house: Any) -> None:
    made = (await ask(channel, orgs.CreateOrganizationRequest(name="Acme"))).organization
    assert (made.name, made.role, made.created_at) == ("Acme", "OWNER", timestamp(house.clock.now))
    org = made.org_id
    for user in (ANN, BOB):
        await ask(channel, orgs.PutMemberRequest(org_id=org, user_id=user))
    await ask(channel, orgs.SetMemberRoleRequest(org_id=org, user_id=BOB, role="billing"))
    members = (await ask(channel, orgs.ListMembersRequest(org_id=org))).members
    assert [(one.user_id, one.role, one.HasField("username")) for one in members] == [
        (ANN, "OWNER", False),
        (BOB, "BILLING", False),
    ]
    renamed = await ask(channel, orgs.RenameOrganizationRequest(org_id=org, name="Emca"))
    assert renamed.organization.name == "Emca"
    found = await ask(channel, orgs.GetOrganizationRequest(org_id=org.upper()))
    assert found.organization == renamed.organization
    await ask(channel, orgs.TransferOwnershipRequest(org_id=org, user_id=BOB))
    await ask(channel, orgs.LeaveOrganizationRequest(org_id=org, user_id=ANN))
    assert await standing(channel, org, ANN) == ""
    (own,) = (await ask(channel, orgs.ListOrganizationsRequest(user_id=BOB))).organizations
    assert (own.org_id, own.name, own.role) == (org, "Emca", "OWNER")
    with pytest.raises(AppError) as caught:
        await ask(channel, orgs.LeaveOrganizationRequest(org_id=org, user_id=BOB))
    assert caught.value.outcome.http_status == 409


async def test_an_invitations_life(channel: LocalChannel, house: Any) -> None:
    bob = await house.user("bob")
    await ask(channel, orgs.PutMemberRequest(org_id=ORG, user_id=ANN))
    asked = invitations.CreateInvitationRequest(org_id=ORG, email=bob.email, role="Member")
    made = (await ask(channel, asked)).invitation
    assert made.token.startswith("leaky_invite_")
    assert made.expires_at == timestamp(house.clock.now + 7 * 86_400_000_000)
    (listed,) = (await ask(channel, invitations.ListInvitationsRequest(org_id=ORG))).invitations
    assert (listed.id, listed.email, listed.role) == (made.id, bob.email, "MEMBER")
    assert not listed.HasField("invited_by")
    for _ in range(2):
        accepted = await ask(channel, invitations.AcceptInvitationRequest(token=made.token))
        assert (accepted.org_id, accepted.user_id, accepted.role) == (ORG, bob.id, "MEMBER")
    assert await standing(channel, user_id=bob.id) == "MEMBER"
    again = invitations.DeleteInvitationRequest(org_id=ORG, invitation_id=made.id)
    with pytest.raises(AppError) as caught:
        await ask(channel, again)
    assert caught.value.outcome.http_status == 404


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
    await ask(channel, orgs.PutMemberRequest(org_id=ORG, user_id=ANN))
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
        (orgs.PutMemberRequest(org_id="acme", user_id=ANN), "org_id"),
        (orgs.DeleteMemberRequest(org_id=ORG, user_id="ann"), "user_id"),
        (orgs.GetMembershipRequest(org_id=ORG), "user_id"),
        (orgs.CreateOrganizationRequest(name=" "), "name"),
        (orgs.CreateOrganizationRequest(name="x" * 101), "name"),
        (orgs.RenameOrganizationRequest(org_id=ORG, name="a\nb"), "name"),
        (orgs.SetMemberRoleRequest(org_id=ORG, user_id=ANN, role="BOSS"), "role"),
        (orgs.LeaveOrganizationRequest(org_id=ORG), "user_id"),
        (invitations.CreateInvitationRequest(org_id=ORG, email="a", role="OWNER"), "email"),
        (invitations.CreateInvitationRequest(org_id=ORG, email="a@b", role=""), "role"),
        (invitations.CreateInvitationRequest(org_id=ORG, email="a@b", role="ADMIN"), "role"),
        (invitations.DeleteInvitationRequest(org_id=ORG, invitation_id="1"), "invitation_id"),
        (invitations.AcceptInvitationRequest(token="x" * 129), "token"),
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
