"""What a credential that is limited may do."""

from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.message import Message

from leaky.auth.v1.api_key_service_pb2 import (
    CreateApiKeyRequest,
    CreateApiKeyResponse,
    RotateApiKeyRequest,
    RotateApiKeyResponse,
)
from leaky.auth.v1.credential_service_pb2 import GetUserRolesRequest, GetUserRolesResponse
from leaky.auth.v1.organization_service_pb2 import PutMemberRequest, PutMemberResponse
from leaky.common.v1.reason_pb2 import REASON_SCOPE_INSUFFICIENT
from leaky.edge.v1.options_pb2 import ACCESS_AUTHENTICATED
from leaky.token.v1.consume_service_pb2 import ConsumeRequest, ConsumeResponse
from leaky.token.v1.quota_service_pb2 import (
    GetQuotaRequest,
    GetQuotaResponse,
    GetStatusRequest,
    GetStatusResponse,
)
from mesh.errors import AppError
from mesh.identity.memberships import Memberships
from mesh.identity.policy import LocalPolicy, Policy, SecurePolicy
from mesh.identity.principal import NOBODY, Principal
from mesh.identity.pulse import Pulse
from mesh.identity.scopes import SCOPES, limits_of
from mesh.rpc.call import Call
from mesh.rpc.method import Method, rpc
from svc_auth.domain import claims
from tests.e2e.matrix import METHODS

pytestmark = pytest.mark.anyio
CONSUME = rpc(ConsumeRequest, ConsumeResponse)
QUOTA = rpc(GetQuotaRequest, GetQuotaResponse)
STATUS = rpc(GetStatusRequest, GetStatusResponse)
PUT_MEMBER = rpc(PutMemberRequest, PutMemberResponse)
MAKE_KEY = rpc(CreateApiKeyRequest, CreateApiKeyResponse)
ROTATE_KEY = rpc(RotateApiKeyRequest, RotateApiKeyResponse)
ROLES = rpc(GetUserRolesRequest, GetUserRolesResponse)
READER = Principal(user_id="user-1", scopes=frozenset({"tokens.read"}))
OPENAI_ONLY = Principal(user_id="user-1", providers=frozenset({"openai"}))
SPENT = ConsumeRequest(user_id="user-1", provider="openai", tokens=1)


@pytest.fixture(params=["local", "secure"])
def policy(request: pytest.FixtureRequest, auth: Any, clock: Any) -> Policy:
    if request.param == "local":
        return LocalPolicy()
    memberships = Memberships(channel=auth.channel(), clock=clock, pulse=Pulse(clock))
    return SecurePolicy(memberships)


async def asked(
    policy: Policy, method: Method[Any, Any], request: Message, who: Principal, caller: str = ""
) -> str:
    call = Call(method=method, metadata={}, principal=who, caller=caller)
    try:
        policy.admit(call)
        asking = policy.check(request, call)
        if asking is not None:
            await asking
    except AppError as refused:
        return refused.message if refused.reason == REASON_SCOPE_INSUFFICIENT else "otherwise"
    return "may"


async def test_a_scope_lets_in_where_it_is_named_and_nowhere_else(policy: Policy) -> None:
    assert await asked(policy, QUOTA, GetQuotaRequest(user_id="user-1"), READER) == "may"
    refusal = await asked(policy, CONSUME, SPENT, READER)
    assert refusal == "the scope tokens.write is needed"
    writer = replace(READER, scopes=frozenset({"tokens.write"}))
    assert await asked(policy, CONSUME, SPENT, writer) == "may"
    refusal = await asked(policy, QUOTA, GetQuotaRequest(user_id="user-1"), writer)
    assert refusal == "the scope tokens.read is needed"


async def test_where_no_scope_is_named_none_is_enough(policy: Policy) -> None:
    for scopes in ((), SCOPES, ("",)):
        admin = Principal(user_id="user-1", roles=frozenset({"ADMIN"}), scopes=frozenset(scopes))
        refusal = await asked(policy, PUT_MEMBER, PutMemberRequest(), admin)
        assert refusal == "a credential that is limited may not do this"


async def test_without_limits_the_user_decides(policy: Policy) -> None:
    user = replace(READER, scopes=None)
    assert await asked(policy, CONSUME, SPENT, user) == "may"


async def test_what_is_public_or_between_services_asks_for_no_scope(policy: Policy) -> None:
    assert await asked(policy, STATUS, GetStatusRequest(), READER) == "may"
    assert await asked(policy, ROLES, GetUserRolesRequest(), READER, caller="token") == "may"


async def test_a_provider_that_is_not_named_is_refused(policy: Policy) -> None:
    assert await asked(policy, CONSUME, SPENT, OPENAI_ONLY) == "may"
    other = ConsumeRequest(user_id="user-1", provider="qwen", tokens=1)
    refusal = await asked(policy, CONSUME, other, OPENAI_ONLY)
    assert refusal == "the credential is not for this provider"
    quota = GetQuotaRequest(user_id="user-1", provider="qwen")
    assert await asked(policy, QUOTA, quota, OPENAI_ONLY) == "may"
    assert await asked(policy, CONSUME, other, replace(OPENAI_ONLY, providers=None)) == "may"


async def test_a_key_for_one_provider_makes_no_key_for_others(policy: Policy) -> None:
    admin = replace(OPENAI_ONLY, roles=frozenset({"ADMIN"}))
    for method in (MAKE_KEY, ROTATE_KEY, PUT_MEMBER):
        for who in (OPENAI_ONLY, admin):
            refusal = await asked(policy, method, method.request(user_id="user-1"), who)
            assert refusal == "a credential that is limited may not do this"


async def test_local_still_lets_anybody_in() -> None:
    assert await asked(LocalPolicy(), PUT_MEMBER, PutMemberRequest(), NOBODY) == "may"


def test_a_tokens_scope_is_a_limit_unless_it_says_everything() -> None:
    assert limits_of("tokens.read tokens.write *") is None
    assert limits_of("*") is None
    assert limits_of("") == frozenset()
    assert limits_of("openid tokens.read") == frozenset({"openid", "tokens.read"})
    assert limits_of("tokens.* **") == frozenset({"tokens.*", "**"})


def test_methods_name_scopes_that_there_are_and_every_one_is_named() -> None:
    named = {method.rule.scope for method in METHODS if method.rule.scope}
    assert named == set(SCOPES) == set(claims.SCOPES)
    for method in METHODS:
        if method.rule.scope:
            assert method.rule.access == ACCESS_AUTHENTICATED, method.path
        if method.rule.provider:
            assert method.rule.provider in method.request.DESCRIPTOR.fields_by_name, method.path


def test_whatever_spends_at_a_provider_can_be_limited_to_it() -> None:
    writes = {
        method.name
        for method in METHODS
        if method.rule.scope == "tokens.write" and not method.rule.provider
    }
    # These speak of a reservation that named its provider before.
    assert writes == {"Settle", "Release", "BatchSettle", "BatchRelease"}
