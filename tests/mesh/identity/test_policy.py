from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from leaky.auth.v1.credential_service_pb2 import (
    REVOCATION_KIND_MEMBERSHIP,
    GetUserRolesRequest,
    GetUserRolesResponse,
)
from leaky.auth.v1.organization_service_pb2 import PutMemberRequest, PutMemberResponse
from leaky.common.v1.reason_pb2 import (
    REASON_PERMISSION_DENIED,
    REASON_UNAUTHENTICATED,
    REASON_UNAVAILABLE,
    Reason,
)
from leaky.edge.v1.options_pb2 import (
    ACCESS_AUTHENTICATED,
    ACCESS_INTERNAL,
    ACCESS_PUBLIC,
    ACCESS_ROLES,
    Rule,
)
from leaky.token.v1.consume_service_pb2 import ConsumeRequest, ConsumeResponse
from leaky.token.v1.metering_service_pb2 import ReserveRequest, ReserveResponse
from leaky.token.v1.purchase_service_pb2 import CreatePurchaseRequest, CreatePurchaseResponse
from leaky.token.v1.quota_service_pb2 import GetOrgQuotaRequest, GetOrgQuotaResponse
from mesh.errors import AppError
from mesh.identity.memberships import Memberships
from mesh.identity.policy import LocalPolicy, SecurePolicy
from mesh.identity.principal import NOBODY, Principal
from mesh.identity.pulse import Pulse
from mesh.identity.revoked import Revoked
from mesh.rpc.call import Call
from mesh.rpc.method import Method, rpc

if TYPE_CHECKING:
    from tests.mesh.identity.conftest import Auth, Hands

pytestmark = pytest.mark.anyio
RESERVE = rpc(ReserveRequest, ReserveResponse)
PURCHASE = rpc(CreatePurchaseRequest, CreatePurchaseResponse)
CONSUME = rpc(ConsumeRequest, ConsumeResponse)
ORG_QUOTA = rpc(GetOrgQuotaRequest, GetOrgQuotaResponse)
PUT_MEMBER = rpc(PutMemberRequest, PutMemberResponse)
USER_ROLES = rpc(GetUserRolesRequest, GetUserRolesResponse)
USER = Principal(user_id="user-1", roles=frozenset({"USER"}))
ADMIN = Principal(user_id="admin-1", roles=frozenset({"USER", "ADMIN"}))
OK = None


class World:
    def __init__(self, auth: "Auth", clock: "Hands") -> None:
        pulse = Pulse(clock)
        pulse.beat()
        self.auth = auth
        self.memberships = Memberships(channel=auth.channel(), clock=clock, pulse=pulse)
        self.policy = SecurePolicy(self.memberships)

    async def outcome(
        self, method: Method[Any, Any], request: Any, who: Principal, caller: str = ""
    ) -> Reason.ValueType | None:
        call = Call(method=method, metadata={}, principal=who, caller=caller)
        try:
            self.policy.admit(call)
            asking = self.policy.check(request, call)
            if asking is not None:
                await asking
        except AppError as refused:
            return refused.reason
        return OK


@pytest.fixture
def world(auth: "Auth", clock: "Hands") -> World:
    auth.members = {
        ("org-1", "user-1"): "MEMBER",
        ("org-1", "owner-1"): "OWNER",
        ("org-1", "billing-1"): "BILLING",
    }
    return World(auth, clock)


def ruled(access: int, *, roles: Iterable[str] = (), **rule: Any) -> Method[Any, Any]:
    made = Rule(roles=roles, **rule)
    made.access = access  # type: ignore[assignment]  # also values that this version lacks
    return replace(CONSUME, rule=made, path=f"/test/{access}/{made}")


async def test_the_playground_lets_everything_through() -> None:
    call = Call(method=USER_ROLES, metadata={})
    assert LocalPolicy().check(GetUserRolesRequest(), call) is None


async def test_public_is_for_anyone(world: World) -> None:
    for who in (NOBODY, USER, ADMIN):
        assert await world.outcome(ruled(ACCESS_PUBLIC), ConsumeRequest(), who) is OK


async def test_authenticated_is_for_users(world: World) -> None:
    method = ruled(ACCESS_AUTHENTICATED)
    assert await world.outcome(method, ConsumeRequest(), NOBODY) == REASON_UNAUTHENTICATED
    assert await world.outcome(method, ConsumeRequest(), USER) is OK


async def test_a_service_without_a_user_is_no_user(world: World) -> None:
    for method in (ruled(ACCESS_AUTHENTICATED), ruled(ACCESS_ROLES, roles=["ADMIN"])):
        outcome = await world.outcome(method, ConsumeRequest(), NOBODY, caller="gateway")
        assert outcome == REASON_UNAUTHENTICATED


async def test_roles_are_for_their_holders(world: World) -> None:
    method = ruled(ACCESS_ROLES, roles=["ADMIN", "AUDITOR"])
    auditor = Principal(user_id="user-9", roles=frozenset({"AUDITOR"}))
    assert await world.outcome(method, ConsumeRequest(), NOBODY) == REASON_UNAUTHENTICATED
    assert await world.outcome(method, ConsumeRequest(), USER) == REASON_PERMISSION_DENIED
    assert await world.outcome(method, ConsumeRequest(), ADMIN) is OK
    assert await world.outcome(method, ConsumeRequest(), auditor) is OK
    assert (
        await world.outcome(ruled(ACCESS_ROLES), ConsumeRequest(), ADMIN)
        == REASON_PERMISSION_DENIED
    )


async def test_internal_is_for_the_services_that_are_named(world: World) -> None:
    request = GetUserRolesRequest(user_id="user-1")
    assert await world.outcome(USER_ROLES, request, NOBODY, caller="token") is OK
    assert await world.outcome(USER_ROLES, request, USER, caller="token") is OK
    denied = await world.outcome(USER_ROLES, request, NOBODY, caller="gateway")
    assert denied == REASON_PERMISSION_DENIED
    assert await world.outcome(USER_ROLES, request, NOBODY) == REASON_UNAUTHENTICATED
    for who in (USER, ADMIN):
        assert await world.outcome(USER_ROLES, request, who) == REASON_PERMISSION_DENIED
    nameless = ruled(ACCESS_INTERNAL)
    assert await world.outcome(nameless, ConsumeRequest(), ADMIN) == REASON_PERMISSION_DENIED


def test_a_service_is_believed_for_whom_it_calls_and_in_local_anybody(world: World) -> None:
    nobodys, services = (Call(method=CONSUME, metadata={}, caller=name) for name in ("", "gateway"))
    assert [world.policy.speaks_for_others(call) for call in (nobodys, services)] == [False, True]
    assert LocalPolicy().speaks_for_others(nobodys)


async def test_what_no_rule_allows_is_denied(world: World) -> None:
    for access in (0, 5, 99):
        method = ruled(access)
        assert await world.outcome(method, ConsumeRequest(), ADMIN) == REASON_PERMISSION_DENIED


async def test_a_user_acts_for_itself_only(world: World) -> None:
    own, other = ConsumeRequest(user_id="user-1"), ConsumeRequest(user_id="user-2")
    assert await world.outcome(CONSUME, own, USER) is OK
    assert await world.outcome(CONSUME, other, USER) == REASON_PERMISSION_DENIED
    assert await world.outcome(CONSUME, ConsumeRequest(), USER) == REASON_PERMISSION_DENIED
    assert await world.outcome(CONSUME, other, ADMIN) is OK
    assert await world.outcome(CONSUME, own, NOBODY) == REASON_UNAUTHENTICATED
    gateway = await world.outcome(CONSUME, own, NOBODY, caller="gateway")
    assert gateway == REASON_UNAUTHENTICATED


async def test_own_and_member_both_count_when_both_are_named(world: World) -> None:
    for user_id, org_id, outcome in (
        ("user-1", "", OK),
        ("user-1", "org-1", OK),
        ("user-1", "org-2", REASON_PERMISSION_DENIED),
        ("user-2", "org-1", REASON_PERMISSION_DENIED),
    ):
        request = ConsumeRequest(user_id=user_id, org_id=org_id)
        assert await world.outcome(CONSUME, request, USER) == outcome
    request = ConsumeRequest(user_id="user-2", org_id="org-2")
    assert await world.outcome(CONSUME, request, ADMIN) is OK


async def test_membership_is_not_asked_about_when_it_does_not_matter(world: World) -> None:
    await world.outcome(CONSUME, ConsumeRequest(user_id="user-1"), USER)
    await world.outcome(CONSUME, ConsumeRequest(user_id="user-2", org_id="org-1"), USER)
    await world.outcome(CONSUME, ConsumeRequest(user_id="user-2", org_id="org-1"), ADMIN)
    assert world.auth.calls["GetMembership"] == 0


async def test_an_organisations_data_are_for_its_members(world: World) -> None:
    own, other = GetOrgQuotaRequest(org_id="org-1"), GetOrgQuotaRequest(org_id="org-2")
    assert await world.outcome(ORG_QUOTA, own, USER) is OK
    assert await world.outcome(ORG_QUOTA, other, USER) == REASON_PERMISSION_DENIED
    assert await world.outcome(ORG_QUOTA, GetOrgQuotaRequest(), USER) == REASON_PERMISSION_DENIED
    assert await world.outcome(ORG_QUOTA, other, ADMIN) is OK
    assert await world.outcome(ORG_QUOTA, own, NOBODY) == REASON_UNAUTHENTICATED


async def test_an_organisation_is_changed_by_its_owner(world: World) -> None:
    owner = Principal(user_id="owner-1", roles=frozenset({"USER"}))
    request = PutMemberRequest(org_id="org-1", user_id="user-5")
    assert await world.outcome(PUT_MEMBER, request, owner) is OK
    assert await world.outcome(PUT_MEMBER, request, USER) == REASON_PERMISSION_DENIED
    elsewhere = PutMemberRequest(org_id="org-2", user_id="user-5")
    assert await world.outcome(PUT_MEMBER, elsewhere, owner) == REASON_PERMISSION_DENIED
    assert await world.outcome(PUT_MEMBER, elsewhere, ADMIN) is OK


@pytest.mark.parametrize(
    ("standings", "let_in"),
    [
        ([], {"user-1", "owner-1", "billing-1"}),
        (["OWNER"], {"owner-1"}),
        (["OWNER", "MEMBER"], {"user-1", "owner-1"}),
        (["BILLING"], {"billing-1"}),
    ],
)
async def test_a_rule_says_as_what_a_member_may(
    world: World, standings: list[str], let_in: set[str]
) -> None:
    method = ruled(ACCESS_AUTHENTICATED, member="org_id", standings=standings)
    people = ("user-1", "owner-1", "billing-1", "user-2")
    outcomes = {
        who: await world.outcome(method, ConsumeRequest(org_id="org-1"), Principal(user_id=who))
        for who in people
    }
    assert outcomes == {who: OK if who in let_in else REASON_PERMISSION_DENIED for who in people}
    assert await world.outcome(method, ConsumeRequest(org_id="org-1"), ADMIN) is OK


async def test_billing_buys_and_looks_but_does_not_spend(world: World) -> None:
    billing = Principal(user_id="billing-1")
    named: dict[str, Any] = {"user_id": "billing-1", "org_id": "org-1"}
    for method, request, outcome in (
        (CONSUME, ConsumeRequest(**named), REASON_PERMISSION_DENIED),
        (RESERVE, ReserveRequest(**named), REASON_PERMISSION_DENIED),
        (PURCHASE, CreatePurchaseRequest(**named), OK),
        (ORG_QUOTA, GetOrgQuotaRequest(org_id="org-1"), OK),
        (CONSUME, ConsumeRequest(user_id="billing-1"), OK),
    ):
        assert await world.outcome(method, request, billing) == outcome


async def test_what_is_the_organisations_is_seen_by_those_who_may(world: World) -> None:
    see = world.policy.may_see
    spenders = frozenset({"OWNER", "MEMBER"})
    for who, seen, ended in (
        ("user-1", True, True),
        ("billing-1", True, False),
        ("x", False, False),
    ):
        principal = Principal(user_id=who)
        assert await see(principal, user_id="y", org_id="org-1") is seen
        assert await see(principal, user_id="y", org_id="org-1", standings=spenders) is ended
        # Of one's own it does not matter.
        assert await see(principal, user_id=who, org_id="org-1", standings=spenders)
    assert await see(ADMIN, user_id="y", org_id="org-1", standings=spenders)
    assert not await see(NOBODY, user_id="", org_id="org-1", standings=())


async def test_an_ended_membership_lets_nobody_in(world: World) -> None:
    request = GetOrgQuotaRequest(org_id="org-1")
    assert await world.outcome(ORG_QUOTA, request, USER) is OK
    world.auth.members.clear()
    world.memberships.drop(Revoked(kind=REVOCATION_KIND_MEMBERSHIP, subject="org-1/user-1"))
    assert await world.outcome(ORG_QUOTA, request, USER) == REASON_PERMISSION_DENIED


async def test_a_membership_that_cannot_be_asked_about_is_503(world: World) -> None:
    world.auth.down = True
    request = GetOrgQuotaRequest(org_id="org-1")
    assert await world.outcome(ORG_QUOTA, request, USER) == REASON_UNAVAILABLE


async def test_owners_are_checked_whatever_the_access(world: World) -> None:
    method = ruled(ACCESS_PUBLIC, own="user_id")
    request = ConsumeRequest(user_id="user-1")
    assert await world.outcome(method, request, NOBODY) == REASON_UNAUTHENTICATED
    assert await world.outcome(method, request, USER) is OK


@pytest.mark.parametrize("rule", [{"own": "no_such"}, {"member": "tokens"}])
async def test_a_rule_that_names_no_text_field_lets_nobody_through(
    world: World, rule: dict[str, str]
) -> None:
    method = ruled(ACCESS_AUTHENTICATED, **rule)
    for _ in range(2):
        with pytest.raises(TypeError, match="no text field"):
            await world.outcome(method, ConsumeRequest(), ADMIN)
