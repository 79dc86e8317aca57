"""What must hold of identity on a real system: two gateways, two svc_auth on one store."""

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from leaky.auth.v1.auth_service_pb2 import LoginRequest, LoginResponse
from mesh.rpc.method import rpc
from tests.e2e.cast import PASSWORD, login, make_admin
from tests.e2e.shown import DOMAIN, leaf_of
from tests.e2e.system import System, until
from tests.ports import free_ports
from tests.standstill import stopped

pytestmark = pytest.mark.e2e
LOGIN = rpc(LoginRequest, LoginResponse)
ATTEMPTS, RATE = 10_000, 300
# From another address of this machine than everybody else.
ELSEWHERE = "127.0.0.2"
MIB = 1024 * 1024
# Reached only when something is broken.
LATE_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """A system, and what was started beside it: `gateways` and `auths` are clients of each."""

    system: System
    gateways: tuple[httpx.Client, httpx.Client]
    auths: tuple[httpx.Client, httpx.Client]
    admin: dict[str, str]

    def user(self, name: str = "") -> tuple[str, str, dict[str, str]]:
        """A new user: its id, its name, and the header of its session."""
        name = name or f"u-{uuid.uuid4().hex[:12]}"
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        made = self.auths[0].post("/api/v1/auth/register", json=body)
        assert made.status_code == 201, made.text
        return made.json()["userId"], name, bearer(made.json()["token"])

    def key(self, user: str, held: dict[str, str]) -> tuple[str, dict[str, str]]:
        """A new key: its id, and its header."""
        asked = {"userId": user, "name": "k"}
        made = self.auths[0].post("/api/v1/auth/api-keys", json=asked, headers=held).json()
        return made["id"], {"x-api-key": made["rawKey"]}


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    env = {
        "LEAKY_PROFILE": "secure",
        "LEAKY_FEATURE_FLAGS_GATEWAY_RATE_LIMITING": "false",
    }
    system = System(tmp_path_factory.mktemp("identity") / "data", env)
    with ExitStack() as stack:
        stack.enter_context(system.up())
        make_admin(system, "root")
        gateway = stack.enter_context(another(system, "gateway"))
        auth = stack.enter_context(another(system, "auth"))
        clients = [
            stack.enter_context(httpx.Client(base_url=url, timeout=8))
            for url in (system.url(), gateway, system.url("auth"), auth)
        ]
        token = login(clients[2], "root").json()["token"]
        yield Town(
            system=system,
            gateways=(clients[0], clients[1]),
            auths=(clients[2], clients[3]),
            admin=bearer(token),
        )


@contextmanager
def another(system: System, service: str) -> Iterator[str]:
    """One more process of a service on the system's data, with ports of its own; its URL."""
    issued = system.leaky("pki", "issue", f"{service}.2")
    assert issued.returncode == 0, issued.stderr
    http, rpc_port, health = free_ports(3)
    own = {"HTTP_PORT": http, "GRPC_PORT": rpc_port, "HEALTH_PORT": health}
    env = {f"LEAKY_{service.upper()}_{name}": str(port) for name, port in own.items()}
    with (system.data.parent / f"{service}-2.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 our own command
            [sys.executable, "-m", "mesh.cli", "serve", service],
            env={**system.env, **env, "LEAKY_MESH_INSTANCE": "2"},
            stdout=log,
            stderr=log,
        )
        url = f"http://127.0.0.1:{http}"
        try:
            until(lambda: answers(url), 60)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/actuator/health/readiness", timeout=2).is_success
    except httpx.HTTPError:
        return False


def honoured(client: httpx.Client, user: str, held: dict[str, str], timeout: float = 8) -> int:
    """The status of what any credential of the user's may ask; 0 for none in time."""
    path = f"/api/v1/rate-limits/{user}?provider=openai"
    try:
        return client.get(path, headers=held, timeout=timeout).status_code
    except httpx.TimeoutException:
        return 0


def took(town: Town, user: str, held: dict[str, str]) -> float:
    """Seconds until neither gateway honours the credential any more."""
    began = time.monotonic()
    for client in town.gateways:
        while honoured(client, user, held) == 200:
            assert time.monotonic() - began < LATE_SECONDS, "honoured for too long"
    return time.monotonic() - began


def test_a_revocation_is_known_at_both_gateways_within_a_second(town: Town) -> None:
    user, _, mine = town.user()
    times: list[float] = []

    def revoked(who: str, held: dict[str, str], verb: str, path: str, by: dict[str, str]) -> None:
        # Now by this svc_auth, now by the other, whose watchers nobody of ours is.
        at = town.auths[len(times) % 2]
        assert [honoured(client, who, held) for client in town.gateways] == [200, 200]
        assert at.request(verb, path, headers=by).status_code == 204
        times.append(took(town, who, held))

    for _ in range(30):
        key_id, held = town.key(user, mine)
        path = f"/api/v1/auth/api-keys?userId={user}&apiKeyId={key_id}"
        revoked(user, held, "DELETE", path, mine)
    for _ in range(10):
        who, _, held = town.user()
        revoked(who, held, "POST", "/api/v1/auth/logout", held)
    for _ in range(10):
        who, _, held = town.user()
        revoked(who, held, "POST", f"/api/v1/users/{who}/disable", town.admin)
    # A few may meet a busy machine; that one in ten does is a delay of ours.
    assert statistics.quantiles(times, n=10)[-1] <= 1, sorted(times)[-10:]


def test_a_changed_password_ends_the_other_sessions_and_not_the_new_one(town: Town) -> None:
    who, name, before = town.user()
    body = {"currentPassword": PASSWORD, "newPassword": PASSWORD + "8"}
    changed = town.gateways[1].post("/api/v1/auth/password", json=body, headers=before)
    assert changed.status_code == 200, changed.text
    took(town, who, before)
    now = bearer(changed.json()["token"])
    assert [honoured(client, who, now) for client in town.gateways] == [200, 200]
    old = {"username": name, "password": PASSWORD}
    assert town.gateways[0].post("/api/v1/auth/login", json=old).status_code == 401


def test_a_limited_key_does_what_it_is_for_and_nothing_else(town: Town) -> None:
    user, _, mine = town.user()
    asked = {
        "userId": user,
        "name": "k",
        "scopes": ["tokens.write"],
        "providers": ["openai"],
    }
    made = town.gateways[0].post("/api/v1/auth/api-keys", json=asked, headers=mine).json()
    held = {"x-api-key": made["rawKey"]}
    for client in town.gateways:
        for provider, status in (("openai", 200), ("qwen", 403)):
            spent = {"userId": user, "provider": provider, "tokens": 1}
            answer = client.post("/api/v1/tokens/consume", json=spent, headers=held)
            assert answer.status_code == status, answer.text
        refused = client.get(f"/api/v1/auth/api-keys?userId={user}", headers=held)
        assert (refused.status_code, refused.json()["reason"]) == (403, "SCOPE_INSUFFICIENT")
        assert refused.headers["www-authenticate"] == 'Bearer error="insufficient_scope"'


def test_with_the_stream_cut_nothing_revoked_is_honoured_for_five_seconds(town: Town) -> None:
    """Svc_auth is stopped while another one on its store revokes; then it goes on."""
    user, _, mine = town.user()
    gone, key = town.key(user, mine)
    _, unseen = town.key(user, mine)
    other, _, session = town.user()
    silent = town.system.pids()["auth"]
    assert [honoured(client, user, key) for client in town.gateways] == [200, 200]
    assert honoured(town.gateways[0], other, session) == 200
    os.kill(silent, signal.SIGSTOP)
    try:
        which = {"userId": user, "apiKeyId": gone}
        at = town.auths[1]
        assert at.delete("/api/v1/auth/api-keys", params=which, headers=mine).status_code == 204
        stop = at.post(f"/api/v1/users/{other}/disable", headers=town.admin)
        assert stop.status_code == 204
        began = time.monotonic()
        last = began
        while time.monotonic() - began < 6:
            for client in town.gateways:
                asked = time.monotonic()
                if honoured(client, user, key, timeout=0.5) == 200:
                    last = asked
        assert last - began <= 5
        # Nobody can be asked: that says nothing about the key.
        assert honoured(town.gateways[0], user, unseen) == 503
        # Tokens need nobody to be asked.
        assert honoured(town.gateways[0], user, mine) == 200
    finally:
        os.kill(silent, signal.SIGCONT)

    def heard() -> bool:
        return [honoured(client, other, session) for client in town.gateways] == [401, 401]

    until(heard, 5)
    until(lambda: honoured(town.gateways[0], user, unseen) == 200, 5)
    assert [honoured(client, user, key) for client in town.gateways] == [401, 401]
    assert honoured(town.gateways[1], user, mine) == 200


def test_ten_thousand_wrong_logins_keep_nobody_out_and_slow_nobody_down(town: Town) -> None:
    who, name, mine = town.user()
    pid = town.system.pids()["auth"]

    def p50() -> float:
        times = []
        for _ in range(20):
            began = time.perf_counter()
            assert honoured(town.gateways[0], who, mine) == 200
            times.append(time.perf_counter() - began)
        return statistics.median(times)

    p50()
    size = rss(pid)
    transport = httpx.HTTPTransport(local_address=ELSEWHERE)
    with (
        guessing(town, name) as guesses,
        httpx.Client(transport=transport, base_url=town.system.url("auth"), timeout=20) as owner,
    ):
        during, without, let_in = [], [], 0
        while guesses.poll() is None:
            during.append(p50())
            # What else this machine does meets both alike, as they are taken in turn.
            with stopped(guesses):
                without.append(p50())
            body = {"username": name, "password": PASSWORD}
            answer = owner.post("/api/v1/auth/login", json=body)
            assert answer.status_code == 200, answer.text
            let_in += 1
            time.sleep(0.2)
        said = json.loads(guesses.communicate()[0])
    assert guesses.returncode == 0
    assert sum(said.values()) == ATTEMPTS
    assert set(said) <= {"UNAUTHENTICATED", "RESOURCE_EXHAUSTED"}
    # Few were worth a hash.
    assert said["UNAUTHENTICATED"] < 200
    assert let_in > 3
    assert rss(pid) - size < 64 * MIB
    assert statistics.median(during) <= 2 * statistics.median(without) + 0.002


@contextmanager
def guessing(town: Town, name: str) -> Iterator["subprocess.Popen[str]"]:
    """Who guesses, in a process of its own; prints how often it got which answer."""
    leaf = leaf_of(town.system, "operator")
    shown = json.dumps([leaf.roots, leaf.key, leaf.chain])
    command = [sys.executable, __file__, town.system.target("auth"), name]
    path = str(Path(__file__).parents[2])
    process = subprocess.Popen(  # noqa: S603 this file
        ["nice", "-n", "19", *command],  # noqa: S607
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(shown + "\n")
    process.stdin.flush()
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def rss(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_what_was_done_is_in_the_log_and_no_secret_is(town: Town) -> None:
    token = town.admin["authorization"].removeprefix("Bearer ")
    shown = town.system.leaky("audit", "--json", "--limit", "10000", "--token", token)
    assert shown.returncode == 0, shown.stderr
    lines = [json.loads(line) for line in shown.stdout.splitlines()]
    done = Counter(line["action"] for line in lines)
    assert {"USER_DISABLED", "API_KEY_REVOKED", "LOGOUT", "PASSWORD_CHANGED"} <= set(done)
    assert {line["address"] for line in lines if line["action"] == "LOGIN"} == {
        "127.0.0.1",
        ELSEWHERE,
    }
    refused = [line for line in lines if line["outcome"] == "REFUSED"]
    assert 1 < len(refused) < 300
    for secret in (PASSWORD, token, "leaky_", "wrong"):
        assert secret not in shown.stdout
    nobody = town.system.leaky("audit")
    assert (nobody.returncode, "credential" in nobody.stderr) == (1, True)


async def guess(target: str, name: str) -> Counter[str]:
    """Ten thousand wrong passwords at an even pace, whatever becomes of them."""
    said: Counter[str] = Counter()
    free = asyncio.Semaphore(64)

    async def once(call: Any, number: int) -> None:
        async with free:
            request = LoginRequest(username=name, password=f"wrong {number}")
            try:
                await call(request, timeout=20)
                said["OK"] += 1
            except grpc.aio.AioRpcError as error:
                said[error.code().name] += 1

    # The certificate that it shows comes by stdin: a key is no argument.
    texts = [text.encode() for text in json.loads(sys.stdin.readline())]
    credentials = grpc.ssl_channel_credentials(*texts)
    options = [("grpc.ssl_target_name_override", f"auth.{DOMAIN}")]
    async with grpc.aio.secure_channel(target, credentials, options=options) as channel:
        call = channel.unary_unary(
            LOGIN.path, LoginRequest.SerializeToString, LoginResponse.FromString
        )
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(ATTEMPTS):
                group.create_task(once(call, number))
                await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
    return said


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(guess(*sys.argv[1:]))))
