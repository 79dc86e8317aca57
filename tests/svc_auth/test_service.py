"""The service as wired, over REST and over its own channel."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest

from mesh.clock import RandomIds, SystemClock
from mesh.identity.identity import Identity
from mesh.rpc.channel import Channel
from mesh.rpc.dispatcher import Dispatcher, Interceptor
from mesh.rpc.interceptors.errors import map_errors
from mesh.rpc.interceptors.validation import ValidationInterceptor
from mesh.rpc.local_channel import LocalChannel
from mesh.service import Context, Parts
from mesh.settings import Live
from svc_auth.settings import AuthSettings
from svc_auth.wiring import SERVICE

pytestmark = pytest.mark.anyio
ALICE = {"username": "alice", "email": "alice@example.com", "password": "correct horse"}


@dataclass
class Running:
    parts: Parts
    client: httpx.AsyncClient


Start = Callable[..., AbstractAsyncContextManager[Running]]


def _elsewhere(_service: str) -> Channel:
    raise AssertionError("auth calls no other service")


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts the service on the test's data folder, with the given environment."""

    @asynccontextmanager
    async def started(**env: str) -> AsyncIterator[Running]:
        settings = Live.read(AuthSettings, {"LEAKY_DATA": str(tmp_path), **env})
        interceptors: list[Interceptor] = []
        dispatcher = Dispatcher(interceptors)
        local = LocalChannel(dispatcher)
        clock = SystemClock()
        identity = Identity(settings=settings, auth_channel=local.as_service("auth"), clock=clock)
        interceptors += [
            map_errors,
            identity.principal,
            identity.admit,
            ValidationInterceptor(),
            identity.authorize,
        ]
        context = Context(
            name="auth",
            settings=settings,
            clock=clock,
            ids=RandomIds(),
            channel=_elsewhere,
            local=local,
            dispatcher=dispatcher,
            identity=identity,
        )
        async with SERVICE.build(context) as parts:
            for servicer in parts.servicers:
                dispatcher.add(servicer)
            transport = httpx.ASGITransport(app=cast("Any", parts.http[8081]))
            async with httpx.AsyncClient(transport=transport, base_url="http://auth") as client:
                yield Running(parts=parts, client=client)

    return started


async def _register(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.post("/api/v1/auth/register", json=ALICE)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_the_first_calls_of_a_newcomer(start: Start) -> None:
    async with start() as running:
        client = running.client
        made = await _register(client)
        assert set(made) == {"userId", "username", "email", "token", "roles", "createdAt"}
        login = await client.post("/api/v1/auth/login", json=ALICE)
        assert login.status_code == 200
        assert set(login.json()) == {"userId", "username", "token", "roles", "expiresAt"}

        asked = {"userId": made["userId"], "name": "ci"}
        key = await client.post("/api/v1/auth/api-keys", json=asked)
        assert key.status_code == 201
        assert key.json()["rawKey"] == key.json()["apiKey"]
        assert key.json()["expiresAt"] is None
        listed = await client.get("/api/v1/auth/api-keys", params={"userId": made["userId"]})
        assert [set(one) for one in listed.json()] == [
            {
                *("id", "userId", "name", "createdAt", "expiresAt", "lastUsedAt", "prefix"),
                *("scopes", "providers"),
            }
        ]

        credential = {"X-Api-Key": key.json()["rawKey"]}
        valid = await client.get("/api/v1/auth/api-keys/validate", headers=credential)
        assert (valid.status_code, valid.json()) == (
            200,
            {"userId": made["userId"], "name": "ci", "expiresAt": None, "roles": ["USER"]},
        )
        which = {"userId": made["userId"], "apiKeyId": key.json()["id"]}
        gone = await client.delete("/api/v1/auth/api-keys", params=which)
        assert (gone.status_code, gone.content) == (204, b"")
        again = await client.delete("/api/v1/auth/api-keys", params=which)
        assert again.status_code == 404
        valid = await client.get("/api/v1/auth/api-keys/validate", headers=credential)
        assert valid.status_code == 401


async def test_health_keys_and_readiness_answer(start: Start) -> None:
    async with start() as running:
        health = await running.client.get("/api/v1/auth/health")
        assert health.json() | {"timestamp": ""} == {
            "service": "auth-server",
            "status": "ok",
            "timestamp": "",
        }
        jwks = await running.client.get("/oauth2/jwks")
        assert [key["alg"] for key in jwks.json()["keys"]] == ["RS256", "ES256"]
        await running.parts.ready["database"]()


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        "{}",
        '{"username":"alice","email":"a@b"}',
        '{"username":"al\\u0000ice","email":"a@b","password":"long enough"}',
        '{"username":"al\\ud800ice","email":"a@b","password":"long enough"}',
        '{"username":"alice","email":"a@b","password":"long\\ud800 enough"}',
        '{"username":"alice","email":"a@b","password":"long\\u0000 enough"}',
        '{"username":7,"email":"a@b","password":"long enough"}',
        '{"username":"alice","email":"nobody","password":"long enough"}',
        '{"username":"alice","email":"a@b","password":"short"}',
    ],
)
async def test_bad_input_is_400(start: Start, body: str) -> None:
    json = {"Content-Type": "application/json"}
    async with start() as running:
        answer = await running.client.post("/api/v1/auth/register", content=body, headers=json)
        assert answer.status_code == 400, answer.text
        assert answer.json()["status"] == 400


@pytest.mark.parametrize(
    "expires",
    [
        "0001-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "99999999999999999999",
        "soon",
        "2020-01-01T00:00:00Z",
    ],
)
async def test_a_time_that_no_key_can_end_at_is_400(start: Start, expires: str) -> None:
    asked = {"userId": str(uuid4()), "name": "ci", "expiresAt": expires}
    async with start() as running:
        answer = await running.client.post("/api/v1/auth/api-keys", json=asked)
        assert answer.status_code == 400, answer.text


async def test_the_last_moment_of_time_is_a_time(start: Start) -> None:
    asked = {"userId": str(uuid4()), "name": "ci", "expiresAt": "9999-12-31T23:59:59.999999999Z"}
    async with start() as running:
        answer = await running.client.post("/api/v1/auth/api-keys", json=asked)
        assert answer.status_code == 201, answer.text


async def test_a_duplicate_is_400_and_says_which(start: Start) -> None:
    async with start() as running:
        await _register(running.client)
        for change, reason in (
            ({"email": "b@example.com"}, "USERNAME_TAKEN"),
            ({"username": "bob"}, "EMAIL_TAKEN"),
        ):
            answer = await running.client.post("/api/v1/auth/register", json=ALICE | change)
            assert (answer.status_code, answer.json()["reason"]) == (400, reason)


async def test_in_secure_only_the_user_itself_gets_its_keys(start: Start) -> None:
    async with start(LEAKY_PROFILE="secure") as running:
        client = running.client
        made = await _register(client)
        asked = {"userId": made["userId"], "name": "ci"}
        bearer = {"Authorization": f"Bearer {made['token']}"}
        path = "/api/v1/auth/api-keys"
        assert (await client.post(path, json=asked)).status_code == 401
        assert (await client.post(path, json=asked, headers=bearer)).status_code == 201
        other = asked | {"userId": str(uuid4())}
        assert (await client.post(path, json=other, headers=bearer)).status_code == 403


async def test_users_keys_and_sessions_survive_a_restart(start: Start) -> None:
    async with start() as running:
        made = await _register(running.client)
        asked = {"userId": made["userId"], "name": "ci"}
        key = (await running.client.post("/api/v1/auth/api-keys", json=asked)).json()["rawKey"]
        jwks = (await running.client.get("/oauth2/jwks")).json()
    async with start(LEAKY_PROFILE="secure") as running:
        client = running.client
        assert (await client.get("/oauth2/jwks")).json() == jwks
        assert (await client.post("/api/v1/auth/login", json=ALICE)).status_code == 200
        valid = await client.get("/api/v1/auth/api-keys/validate", headers={"X-Api-Key": key})
        assert valid.status_code == 200
        mine = await client.get(
            "/api/v1/auth/api-keys",
            params={"userId": made["userId"]},
            headers={"Authorization": f"Bearer {made['token']}"},
        )
        assert [one["name"] for one in mine.json()] == ["ci"]


async def test_what_is_generated_is_for_the_owner_alone(start: Start, tmp_path: Path) -> None:
    async with start():
        pass
    modes = {
        name: (tmp_path / name).stat().st_mode & 0o777 for name in ("auth.pepper", "auth.keys.key")
    }
    assert modes == {"auth.pepper": 0o600, "auth.keys.key": 0o600}


async def test_secrets_that_are_given_are_not_generated(start: Start, tmp_path: Path) -> None:
    given = {
        "LEAKY_AUTH_API_KEY_PEPPER": "a pepper that is long enough",
        "LEAKY_AUTH_KEYS_ENCRYPTION_KEY": "a key that is long enough",
    }
    async with start(**given):
        pass
    assert not (tmp_path / "auth.pepper").exists()
    assert not (tmp_path / "auth.keys.key").exists()


async def test_an_organisation_from_its_beginning_to_its_first_member(start: Start) -> None:
    """In `local`, without any credential."""
    async with start() as running:
        client = running.client
        alice = (await _register(client))["userId"]
        bob = ALICE | {"username": "bob", "email": "bob@example.com"}
        assert (await client.post("/api/v1/auth/register", json=bob)).status_code == 201
        made = await client.post("/api/v1/orgs", json={"name": "Acme"})
        assert (made.status_code, set(made.json())) == (201, {"orgId", "name", "role", "createdAt"})
        org = f"/api/v1/orgs/{made.json()['orgId']}"
        assert (await client.put(f"{org}/members/{alice}")).status_code == 204
        listed = await client.get("/api/v1/orgs", params={"userId": alice})
        assert listed.json() == [made.json()]

        asked = {"email": "Bob@example.com", "role": "billing"}
        invited = await client.post(f"{org}/invitations", json=asked)
        assert (invited.status_code, invited.json()["role"]) == (201, "BILLING")
        (shown,) = (await client.get(f"{org}/invitations")).json()
        assert shown == {
            name: value for name, value in invited.json().items() if name != "token"
        } | {"invitedBy": None}
        accept = f"/api/v1/invitations/{invited.json()['token']}/accept"
        accepted = await client.post(accept)
        assert (accepted.status_code, accepted.json()["role"]) == (200, "BILLING")
        body = {"token": invited.json()["token"]}
        again = await client.post("/api/v1/invitations/accept", json=body)
        assert (again.status_code, again.json()) == (200, accepted.json())
        members = (await client.get(f"{org}/members")).json()
        assert [(one["username"], one["role"]) for one in members] == [
            ("alice", "OWNER"),
            ("bob", "BILLING"),
        ]
        left = await client.post(f"{org}/leave", json={"userId": alice})
        assert (left.status_code, left.json()["reason"]) == (409, "LAST_OWNER")


async def test_in_secure_each_role_may_do_what_it_may(start: Start) -> None:
    async with start(LEAKY_PROFILE="secure") as running:
        client = running.client
        people = {}
        for name in ("owner", "member", "billing", "stranger"):
            asked = ALICE | {"username": name, "email": f"{name}@example.com"}
            made = (await client.post("/api/v1/auth/register", json=asked)).json()
            people[name] = (made["userId"], {"Authorization": f"Bearer {made['token']}"})

        async def ask(who: str, verb: str, path: str, body: Any = None) -> httpx.Response:
            return await client.request(verb, path, json=body, headers=people[who][1])

        org = (await ask("owner", "POST", "/api/v1/orgs", {"name": "Acme"})).json()["orgId"]
        path = f"/api/v1/orgs/{org}"
        for name in ("member", "billing"):
            body = {"email": f"{name}@example.com", "role": name}
            token = (await ask("owner", "POST", f"{path}/invitations", body)).json()["token"]
            accept = f"/api/v1/invitations/{token}/accept"
            stolen = await ask("stranger", "POST", accept)
            assert (stolen.status_code, stolen.json()["reason"]) == (403, "INVITATION_FOR_ANOTHER")
            assert token not in stolen.text
            assert (await client.post(accept)).status_code == 401
            assert (await ask(name, "POST", accept)).status_code == 200
        sees, manages = [], []
        for who in people:
            read = [(await ask(who, "GET", f"{path}{one}")).status_code for one in ("", "/members")]
            role = f"{path}/members/{people['member'][0]}/role"
            written = [
                (await ask(who, "PUT", path, {"name": "Acme"})).status_code,
                (await ask(who, "GET", f"{path}/invitations")).status_code,
                (await ask(who, "PUT", role, {"role": "MEMBER"})).status_code,
            ]
            sees += [who] if read == [200, 200] else []
            manages += [who] if written == [200, 200, 204] else []
            assert set(read) in ({200}, {403})
            assert set(written) in ({200, 204}, {403})
        assert (sees, manages) == (["owner", "member", "billing"], ["owner"])
        owner, billing = people["owner"][0], people["billing"][0]
        passed = await ask("owner", "PUT", f"{path}/owner", {"userId": billing})
        assert passed.status_code == 204
        assert (await ask("owner", "PUT", path, {"name": "Mine"})).status_code == 403
        left = await ask("owner", "POST", f"{path}/leave", {"userId": owner})
        assert left.status_code == 204
        assert (await ask("owner", "GET", path)).status_code == 403
