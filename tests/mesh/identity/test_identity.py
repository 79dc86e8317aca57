"""All of it together, as the runtime uses it."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from google.protobuf.descriptor import ServiceDescriptor

from leaky.auth.v1.credential_service_pb2 import (
    REVOCATION_KIND_API_KEY,
    REVOCATION_KIND_UNSPECIFIED,
)
from leaky.common.v1.reason_pb2 import (
    REASON_INVALID_API_KEY,
    REASON_PERMISSION_DENIED,
    REASON_UNAUTHENTICATED,
    Reason,
)
from leaky.token.v1 import quota_service_pb2
from leaky.token.v1.quota_service_pb2 import (
    GetOrgQuotaRequest,
    GetOrgQuotaResponse,
    GetQuotaRequest,
    GetQuotaResponse,
    GetStatusRequest,
    GetStatusResponse,
)
from mesh.errors import AppError
from mesh.identity.identity import Identity
from mesh.rpc.call import Call
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.local_channel import LocalChannel
from mesh.rpc.method import rpc
from mesh.settings import Live, MeshSettings
from tests.mesh.identity.world import settled

if TYPE_CHECKING:
    from tests.mesh.identity.conftest import Auth, Hands

pytestmark = pytest.mark.anyio
STATUS = rpc(GetStatusRequest, GetStatusResponse)
QUOTA = rpc(GetQuotaRequest, GetQuotaResponse)
ORG_QUOTA = rpc(GetOrgQuotaRequest, GetOrgQuotaResponse)
KEY = "leaky_user-1_secret"


class Quotas:
    SERVICE: ClassVar[ServiceDescriptor] = quota_service_pb2.DESCRIPTOR.services_by_name[
        "QuotaService"
    ]

    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def get_status(self, _request: Any, call: Call) -> GetStatusResponse:
        self.calls.append(call)
        return GetStatusResponse()

    async def get_quota(self, _request: Any, call: Call) -> GetQuotaResponse:
        self.calls.append(call)
        return GetQuotaResponse()

    async def get_org_quota(self, _request: Any, call: Call) -> GetOrgQuotaResponse:
        self.calls.append(call)
        return GetOrgQuotaResponse()

    async def create_org_quota(self, _request: Any, _call: Call) -> Any:
        raise NotImplementedError

    async def update_org_quota(self, _request: Any, _call: Call) -> Any:
        raise NotImplementedError


class Token:
    """A service of the mesh with the real chain around its handlers."""

    def __init__(self, auth: "Auth", clock: "Hands", data: Path, profile: str) -> None:
        env = {"LEAKY_PROFILE": profile, "LEAKY_DATA": str(data)}
        settings = Live.read(MeshSettings, env)
        self.identity = Identity(settings=settings, auth_channel=auth.channel(), clock=clock)
        self.quotas = Quotas()
        dispatcher = Dispatcher([self.identity.principal, self.identity.authorize])
        dispatcher.add(self.quotas)
        self.channel = LocalChannel(dispatcher)

    async def refusal(self, metadata: Mapping[str, str], user: str = "user-1") -> Reason.ValueType:
        with pytest.raises(AppError) as refused:
            await self.channel.unary(QUOTA, GetQuotaRequest(user_id=user), metadata=metadata)
        return refused.value.reason


@pytest.fixture
def secure(auth: "Auth", clock: "Hands", tmp_path: Path) -> Token:
    return Token(auth, clock, tmp_path, "secure")


@pytest.fixture
def local(auth: "Auth", clock: "Hands", tmp_path: Path) -> Token:
    return Token(auth, clock, tmp_path, "local")


async def test_secure_lets_a_user_at_its_own(secure: Token, auth: "Auth") -> None:
    request = GetQuotaRequest(user_id="user-1")
    bearer = {"authorization": f"Bearer {auth.token()}"}
    await secure.channel.unary(QUOTA, request, metadata=bearer)
    auth.issue(KEY, "user-1", ["USER"])
    await secure.channel.unary(QUOTA, request, metadata={"x-api-key": KEY})
    assert [call.principal.user_id for call in secure.quotas.calls] == ["user-1", "user-1"]
    assert await secure.refusal(bearer, user="user-2") == REASON_PERMISSION_DENIED
    assert await secure.refusal({}) == REASON_UNAUTHENTICATED
    assert await secure.refusal({"x-user-id": "user-1"}) == REASON_UNAUTHENTICATED
    assert len(secure.quotas.calls) == 2


async def test_secure_asks_svc_auth_who_belongs(secure: Token, auth: "Auth") -> None:
    auth.members = {("org-1", "user-1"): "MEMBER"}
    bearer = {"authorization": f"Bearer {auth.token()}"}
    await secure.channel.unary(ORG_QUOTA, GetOrgQuotaRequest(org_id="org-1"), metadata=bearer)
    asked = auth.seen[-1]
    assert asked.method.name == "GetMembership"


async def test_local_needs_no_credential_but_refuses_a_bad_one(local: Token, auth: "Auth") -> None:
    request = GetQuotaRequest(user_id="user-2")
    await local.channel.unary(QUOTA, request)
    bearer = {"authorization": f"Bearer {auth.token()}"}
    await local.channel.unary(QUOTA, request, metadata=bearer)
    assert [call.principal.user_id for call in local.quotas.calls] == ["", "user-1"]
    assert await local.refusal({"authorization": "Bearer x.y.z"}) == REASON_UNAUTHENTICATED
    assert await local.refusal({"x-api-key": "wrong"}) == REASON_INVALID_API_KEY


async def test_a_public_method_does_not_look_at_credentials(secure: Token, auth: "Auth") -> None:
    bad = {"authorization": "Bearer x.y.z", "x-api-key": "wrong"}
    await secure.channel.unary(STATUS, GetStatusRequest(), metadata=bad)
    assert secure.quotas.calls[0].principal.anonymous
    assert not auth.calls


async def test_a_service_that_calls_for_nobody_is_not_served_as_a_user(secure: Token) -> None:
    gateway = secure.channel.as_service("gateway")
    with pytest.raises(AppError) as refused:
        await gateway.unary(QUOTA, GetQuotaRequest(user_id="user-1"))
    assert refused.value.reason == REASON_UNAUTHENTICATED


async def test_the_edge_authenticates_by_headers(secure: Token, auth: "Auth") -> None:
    key_id = auth.issue(KEY, "user-1", ["USER"])
    assert (await settled(secure.identity.authenticate({}))).anonymous
    principal = await settled(secure.identity.authenticate({"x-api-key": KEY}))
    assert (principal.api_key_id, principal.user_id) == (key_id, "user-1")
    with pytest.raises(AppError):
        await settled(secure.identity.authenticate({"x-api-key": "wrong"}))


async def remembered(identity: Identity) -> bool:
    first = await settled(identity.authenticate({"x-api-key": KEY}))
    await asyncio.sleep(0)
    return await settled(identity.authenticate({"x-api-key": KEY})) is first


async def forgotten(identity: Identity) -> None:
    while await remembered(identity):
        pass


async def test_the_worker_makes_revocations_count_at_once(secure: Token, auth: "Auth") -> None:
    key_id = auth.issue(KEY, "user-1", ["USER"])
    assert not await remembered(secure.identity)
    worker = asyncio.create_task(secure.identity.run())
    async with asyncio.timeout(30):
        while not auth.streams:  # noqa: ASYNC110 the loop's next turn is what is waited for
            await asyncio.sleep(0)
        auth.revoke(REVOCATION_KIND_UNSPECIFIED, "")
        while not await remembered(secure.identity):
            pass
        del auth.api_keys[KEY]
        assert await remembered(secure.identity)
        auth.revoke(REVOCATION_KIND_API_KEY, key_id)
        with pytest.raises(AppError) as refused:
            await forgotten(secure.identity)
    assert refused.value.reason == REASON_INVALID_API_KEY
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    assert worker.cancelled()


async def test_the_issuer_setting_counts(auth: "Auth", clock: "Hands", tmp_path: Path) -> None:
    identity = Identity(
        settings=Live.read(
            MeshSettings,
            {"LEAKY_DATA": str(tmp_path), "LEAKY_AUTH_JWT_ISSUER": "another-issuer"},
        ),
        auth_channel=auth.channel(),
        clock=clock,
    )
    token = auth.token(iss="another-issuer")
    principal = await settled(identity.authenticate({"authorization": f"Bearer {token}"}))
    assert principal.user_id == "user-1"
