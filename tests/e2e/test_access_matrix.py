"""Nobody reaches another's data: every method, every door, every kind of credential."""

import asyncio
import re
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from leaky.auth.v1.api_key_service_pb2 import DeleteApiKeyRequest, ListApiKeysRequest
from leaky.auth.v1.organization_service_pb2 import (
    DeleteMemberRequest,
    PutMemberRequest,
    SetMemberRoleRequest,
)
from leaky.edge.v1.options_pb2 import ACCESS_INTERNAL, ACCESS_PUBLIC, ACCESS_ROLES
from leaky.token.v1.consume_service_pb2 import ConsumeRequest
from leaky.token.v1.purchase_service_pb2 import CreatePurchaseRequest
from leaky.token.v1.quota_service_pb2 import GetOrgQuotaRequest, GetQuotaRequest
from mesh.edge.routes import Route
from mesh.identity import jose
from mesh.rpc.method import Method
from svc_auth.crypto.keyring import Keyring
from svc_gateway.routing import methods as routed
from tests.e2e.audience import FOR_THE_INVITED, NOT_FOUND_FOR_OTHERS, rightful, strangers
from tests.e2e.cast import PASSWORD, Cast, Person, assemble, ended_session, new_key
from tests.e2e.forgers import SERVICE, claims, false_services, forgeries, keyring_of, spoofed
from tests.e2e.matrix import (
    EDGE,
    EVERY_ROUTE,
    GRPC,
    GUARDED,
    METHODS,
    MUX,
    OWN,
    REST,
    ROUTES,
    Answer,
    Doors,
    Headers,
    Names,
    doors,
    request_for,
)
from tests.e2e.system import System, until
from tests.e2e.traces import no_trace

pytestmark = pytest.mark.e2e
# Any user may call these, and sees only what is everybody's or its own.
FOR_ANY_USER = {
    "ListUsage",
    "GetReport",
    "GetAnomalies",
    "ListProviderShares",
    "GetTrends",
    "Chat",
    "GetProviderQuota",
    "CreateOrganization",
    # What is somebody else's is not found, item by item.
    "BatchSettle",
    "BatchRelease",
    # These are about the calling session itself.
    "ChangePassword",
    "Logout",
}
# Each costs a password hash, so not every forgery is tried on them.
SLOW = {"Register", "Login"}
REASONS = {"UNAUTHENTICATED", "INVALID_API_KEY"}
ROUNDS = 3
# Reached only when something is broken.
LATE_SECONDS = 30


def cases(methods: Any) -> list[Any]:
    return [pytest.param(m, door, id=f"{m.name}-{door}") for m in methods for door in doors(m)]


PUBLIC = [method for method in METHODS if method.rule.access == ACCESS_PUBLIC]
OTHER_ROUTES = [one for one in EVERY_ROUTE if one is not ROUTES[one.method.path]]
every_guarded = pytest.mark.parametrize(("method", "door"), cases(GUARDED))
every_public = pytest.mark.parametrize(("method", "door"), cases(PUBLIC))
every_method = pytest.mark.parametrize(("method", "door"), cases(METHODS))


@pytest.fixture(scope="module")
def cast(secure: System) -> Iterator[Cast]:
    ways = Doors(secure)
    assembled = assemble(secure, ways)
    yield assembled
    assembled.adas_browser.close()
    ways.close()


@pytest.fixture(scope="module")
def keyring(secure: System) -> Keyring:
    return asyncio.run(keyring_of(secure))


@pytest.fixture(scope="module")
def refused(cast: Cast, keyring: Keyring) -> Mapping[str, Headers]:
    """No credential, and everything that only looks like one."""
    secret = (cast.system.data / "mesh.secret").read_text().strip()
    return {
        "none": {},
        "a disabled user's token": cast.frank.bearer,
        "a disabled user's key": cast.frank.api_key,
        "a session that was ended": ended_session(cast),
        "spoofed headers": spoofed(cast.ada),
        **forgeries(cast.ada, keyring),
        **false_services(cast.ada, keyring, secret),
    }


@pytest.fixture(scope="module")
def fixed(cast: Cast) -> Names:
    return cast.fixed_names()


def ask(
    cast: Cast, method: Method[Any, Any], door: str, credential: Headers, names: Names
) -> Answer:
    return cast.doors.ask(door, request_for(method, names), credential)


def test_every_method_is_somewhere_in_the_matrix() -> None:
    assert set(ROUTES) <= {method.path for method in routed()}
    inside = {method.path for method in METHODS} - set(ROUTES)
    assert {m.name for m in METHODS if m.path in inside and m.rule.access != ACCESS_INTERNAL} == {
        "GetJwks",
        "BatchReserve",
        "BatchSettle",
        "BatchRelease",
        "Reconcile",
        "ListAuditEntries",
        "ListParked",
        "RequeueParked",
    }
    assert not [m for m in METHODS if m.rule.access == ACCESS_INTERNAL and m.path in ROUTES]
    protected = {m.name for m in GUARDED if _strangers_exist(m)}
    assert protected | FOR_ANY_USER == {m.name for m in GUARDED}
    assert not protected & FOR_ANY_USER


def _strangers_exist(method: Method[Any, Any]) -> bool:
    rule = method.rule
    special = rule.access in (ACCESS_ROLES, ACCESS_INTERNAL)
    refused = {*NOT_FOUND_FOR_OTHERS, FOR_THE_INVITED}
    return bool(rule.own or rule.member or special or method.name in refused)


@every_guarded
def test_no_credential_and_forged_ones_are_refused_and_nothing_is_written(
    cast: Cast,
    refused: Mapping[str, Headers],
    fixed: Names,
    method: Method[Any, Any],
    door: str,
) -> None:
    with no_trace(cast.system):
        answers = {
            name: ask(cast, method, door, credential, fixed)
            for name, credential in refused.items()
            # REST hands no service's token on; one is enough to see that.
            if door not in REST or name == "service, garbage" or SERVICE not in credential
        }
    wrong = {name: one for name, one in answers.items() if one.status != 401}
    assert not wrong
    assert {one.reason for one in answers.values()} <= REASONS
    if door in REST:
        assert {one.headers["www-authenticate"] for one in answers.values()} == {"Bearer"}


@every_guarded
def test_somebody_else_is_refused_and_nothing_is_written(
    cast: Cast, fixed: Names, method: Method[Any, Any], door: str
) -> None:
    given = strangers(cast, method, fixed)
    with no_trace(cast.system):
        answers = {
            name: (ask(cast, method, door, credential, names), expected)
            for name, (credential, names, expected) in given.items()
        }
    wrong = {name: one for name, (one, status) in answers.items() if one.status != status}
    assert not wrong


@every_guarded
def test_who_may_gets_through(cast: Cast, method: Method[Any, Any], door: str) -> None:
    """Else everything above might be refused for another reason."""
    expected = 200 if door not in REST else ROUTES[method.path].answer.status
    answers = {
        name: ask(cast, method, door, credential, names)
        for name, (credential, names) in rightful(cast, method).items()
    }
    assert {name: one for name, one in answers.items() if one.status != expected} == {}


@pytest.mark.parametrize("door", [EDGE, OWN])
@pytest.mark.parametrize(
    "route",
    [one for one in EVERY_ROUTE if one is not ROUTES[one.method.path]],
    ids=lambda one: one.uri,
)
def test_a_methods_other_routes_ask_for_the_same(
    cast: Cast, refused: Mapping[str, Headers], fixed: Names, route: Route, door: str
) -> None:
    request = request_for(route.method, fixed)

    def status(held: Headers) -> int:
        return cast.doors.at(route, door, request, held).status

    with no_trace(cast.system):
        answers = {name: status(held) for name, held in refused.items() if SERVICE not in held}
        assert set(answers.values()) == {401}, answers
        wrong = strangers(cast, route.method, fixed)
        assert {name: status(held) for name, (held, _, _) in wrong.items()} == {
            name: expected for name, (_, _, expected) in wrong.items()
        }
    for name, (held, names) in rightful(cast, route.method).items():
        good = cast.doors.at(route, door, request_for(route.method, names), held)
        assert good.status == route.answer.status, name


@every_public
def test_a_stale_credential_never_stands_in_the_way_of_a_public_method(
    cast: Cast, refused: Mapping[str, Headers], method: Method[Any, Any], door: str
) -> None:
    names = cast.names()
    expected = 200 if door not in REST else ROUTES[method.path].answer.status
    tried = ("none", "expired", "unknown key") if method.name in SLOW else refused
    for name in tried:
        if door in REST and set(refused[name]) & set(ROUTES[method.path].fill.headers):
            # The header is what is asked about, not who asks.
            continue
        assert ask(cast, method, door, refused[name], names).status == expected, name


@pytest.mark.parametrize("door", [EDGE, OWN, GRPC, MUX])
def test_a_token_with_the_right_claims_under_the_right_key_is_let_in(
    cast: Cast, keyring: Keyring, door: str
) -> None:
    """So that each forgery above is refused for the one thing that is wrong with it."""
    token = jose.sign(claims(cast.ada), key=keyring.session)
    request = ListApiKeysRequest(user_id=cast.ada.id)
    assert cast.doors.ask(door, request, {"authorization": f"Bearer {token}"}).status == 200
    mesh = jose.sign(claims(cast.ada, aud="leaky-mesh"), key=keyring.mesh)
    assert cast.doors.ask(door, request, {"authorization": f"Bearer {mesh}"}).status == 200


def test_a_user_sees_its_own_events_only(cast: Cast) -> None:
    spent = ConsumeRequest(user_id=cast.carol.id, provider="gemini", tokens=3)
    assert cast.doors.ask(EDGE, spent, cast.carol.bearer).status == 200

    def seen(who: Person, path: str) -> Any:
        return cast.doors.http.get(f"/api/v1/analytics/{path}", headers=who.bearer).json()

    # The first event may find a Kafka and a Cassandra that have just been started.
    until(lambda: seen(cast.carol, "report?provider=gemini").get("totalTokens") == 3, 60)
    # Others have used some of it, too, where other tests came before.
    assert seen(cast.admin, "report?provider=gemini")["totalTokens"] >= 3
    for path, empty in (
        ("usage?provider=gemini", {"count": 0, "items": []}),
        ("report?provider=gemini", {"totalEvents": 0, "totalTokens": 0, "topUsers": []}),
        ("anomalies?provider=gemini", {"currentTokens": 0}),
        ("providers", {"items": []}),
    ):
        answer = seen(cast.dave, path)
        assert {name: answer[name] for name in empty} == empty, path
    points = seen(cast.dave, "trends?provider=gemini")["points"]
    assert sum(point["events"] for point in points) == 0


def took(condition: Callable[[], bool]) -> float:
    """Seconds until it holds."""
    start = time.monotonic()
    until(condition, LATE_SECONDS)
    return time.monotonic() - start


def test_a_revoked_key_that_every_cache_knows_is_refused_within_a_second(cast: Cast) -> None:
    # One round may meet a busy machine, as each look is several calls; that most do is ours.
    assert statistics.median(revoked_after(cast) for _ in range(ROUNDS)) <= 1
    # The user's other key is as good as before.
    asked = GetQuotaRequest(user_id=cast.ada.id, provider="openai")
    assert cast.doors.ask(EDGE, asked, cast.ada.api_key).status == 200


def revoked_after(cast: Cast) -> float:
    """Seconds from a key's revocation until nobody takes it any more, and never again."""
    made = new_key(cast.doors.http, cast.ada.id, cast.ada.bearer)
    key = {"x-api-key": made["rawKey"]}
    asked = (
        (EDGE, GetQuotaRequest(user_id=cast.ada.id, provider="openai")),
        (OWN, GetQuotaRequest(user_id=cast.ada.id, provider="openai")),
        (GRPC, GetQuotaRequest(user_id=cast.ada.id, provider="openai")),
        (OWN, ListApiKeysRequest(user_id=cast.ada.id)),
    )
    for _ in range(2):
        assert [cast.doors.ask(door, one, key).status for door, one in asked] == [200] * 4
    revoke = DeleteApiKeyRequest(user_id=cast.ada.id, api_key_id=made["id"])
    assert cast.doors.ask(EDGE, revoke, cast.ada.bearer).status == 204

    def all_refuse() -> bool:
        return all(cast.doors.ask(door, one, key).status == 401 for door, one in asked)

    seconds = took(all_refuse)
    assert all(all_refuse() for _ in range(10))
    return seconds


def test_a_membership_that_ended_ends_access_within_a_second(cast: Cast) -> None:
    member = PutMemberRequest(org_id=cast.org, user_id=cast.dave.id)
    pool = GetOrgQuotaRequest(org_id=cast.org, provider="openai")
    spend = ConsumeRequest(user_id=cast.dave.id, org_id=cast.org, provider="openai", tokens=1)

    def statuses() -> list[int]:
        ways = (*REST, GRPC, MUX)
        held = cast.dave.bearer
        return [cast.doors.ask(door, one, held).status for door in ways for one in (pool, spend)]

    times = []
    for _ in range(ROUNDS):
        assert cast.doors.ask(EDGE, member, cast.ada.bearer).status == 204
        # Not to belong is remembered for a second, and to be let in is no promise.
        took(lambda: set(statuses()) == {200})
        end = DeleteMemberRequest(org_id=cast.org, user_id=cast.dave.id)
        assert cast.doors.ask(EDGE, end, cast.ada.bearer).status == 204
        times.append(took(lambda: set(statuses()) == {403}))
        assert all(set(statuses()) == {403} for _ in range(5))
    assert statistics.median(times) <= 1, times


def test_a_member_made_billing_stops_spending_within_a_second(cast: Cast) -> None:
    pool = GetOrgQuotaRequest(org_id=cast.org, provider="openai")
    spend = ConsumeRequest(user_id=cast.dave.id, org_id=cast.org, provider="openai", tokens=1)
    doors = (*REST, GRPC, MUX)

    def statuses(request: Any) -> list[int]:
        return [cast.doors.ask(door, request, cast.dave.bearer).status for door in doors]

    def made(role: str) -> None:
        request = SetMemberRoleRequest(org_id=cast.org, user_id=cast.dave.id, role=role)
        assert cast.doors.ask(EDGE, request, cast.ada.bearer).status == 204

    cast.member()
    times = []
    for _ in range(ROUNDS):
        made("MEMBER")
        took(lambda: set(statuses(spend)) == {200})
        made("BILLING")
        times.append(took(lambda: set(statuses(spend)) == {403}))
        assert all(set(statuses(spend)) == {403} for _ in range(5))
        assert set(statuses(pool)) == {200}
    assert statistics.median(times) <= 1, times
    buy = CreatePurchaseRequest(user_id=cast.dave.id, org_id=cast.org, provider="openai", tokens=1)
    assert cast.doors.ask(EDGE, buy, cast.dave.bearer).status == 202


def test_no_credential_is_in_any_log(cast: Cast) -> None:
    """After all of the above, good and forged ones alike."""
    said = cast.system.log()
    everybody = (
        *(cast.ada, cast.bob, cast.carol, cast.dave),
        *(cast.erin, cast.frank, cast.grace, cast.admin),
    )
    secrets = [PASSWORD, *(text for one in everybody for text in (one.token, one.key))]
    secrets += [file.read_text().strip() for file in cast.system.data.glob("*.secret")]
    assert len(secrets) == 18
    assert [text for text in secrets if text in said] == []
    assert not re.search(r"leaky_invite_[\w-]", said)
    assert "unexpected error" not in said
