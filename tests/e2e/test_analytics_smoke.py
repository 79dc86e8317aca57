"""scripts/analytics-smoke.sh: right about a system that works, and about ones that do not."""

import json
import os
import re
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.e2e.system import System

pytestmark = pytest.mark.e2e
SCRIPT = Path(__file__).resolve().parents[2] / "scripts/analytics-smoke.sh"


def smoke(url: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 our own script
        [SCRIPT, *arguments],
        env={"PATH": os.environ["PATH"], "BASE_URL": url} | env,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.mark.parametrize("profile", ["local", "secure"])
def test_a_consume_is_seen(request: pytest.FixtureRequest, profile: str) -> None:
    system: System = request.getfixturevalue(profile)
    done = smoke(system.url(), "gemini", "17")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"gemini: 17 tokens of user [0-9a-f-]{36} .* after \d+ ms\n", done.stdout)


@pytest.mark.parametrize("credential", ["API_KEY", "BEARER_TOKEN"])
def test_given_credentials_are_used_and_not_shown(secure: System, credential: str) -> None:
    name = f"s-{uuid.uuid4().hex}"
    with secure.client() as client:
        user = client.post(
            "/api/v1/auth/register",
            json={"username": name, "email": f"{name}@example.com", "password": uuid.uuid4().hex},
        ).json()
        client.headers["Authorization"] = f"Bearer {user['token']}"
        new = {"userId": user["userId"], "name": "smoke"}
        key = client.post("/api/v1/auth/api-keys", json=new).json()["rawKey"]
    given = {"API_KEY": key, "BEARER_TOKEN": user["token"]}[credential]
    # Twice, so that a second run tells its event from the first one's.
    for _ in range(2):
        done = smoke(secure.url(), "qwen", "5", **{credential: given})
        assert done.returncode == 0, done.stderr
        assert user["userId"] in done.stdout
        assert given not in done.stdout + done.stderr


def test_a_refusal_is_told(local: System) -> None:
    done = smoke(local.url(), "nobody", "1")
    assert done.returncode == 1
    assert "UNKNOWN_PROVIDER" in done.stderr


def test_a_bad_key_is_told_without_showing_it(secure: System) -> None:
    key = f"leaky_{uuid.uuid4()}_{uuid.uuid4().hex}"
    done = smoke(secure.url(), "openai", "1", API_KEY=key)
    assert done.returncode == 1
    assert "answered 401" in done.stderr
    assert key not in done.stderr


@pytest.mark.parametrize("arguments", [(), ("openai",), ("openai", "0"), ("open ai", "1")])
def test_wrong_arguments_show_how_it_is_used(arguments: tuple[str, ...]) -> None:
    done = smoke("http://127.0.0.1:1", *arguments)
    assert done.returncode == 2
    assert "scripts/analytics-smoke.sh openai 25" in done.stderr


def test_a_system_that_is_down_is_told() -> None:
    done = smoke("http://127.0.0.1:1", "openai", "1")
    assert done.returncode == 1
    assert "Failed to connect" in done.stderr


# Systems that are wrong, which ours cannot be made to be.


@dataclass
class Wrong:
    """Shows each consume so many times in /usage, and adds so many times its tokens."""

    shown: int
    counted: int
    events: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0

    def answer(self, path: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        if path.endswith("/register"):
            return 201, {"userId": "u", "token": "t"}
        if path.endswith("/consume"):
            event = {"userId": "u", "tokens": body["tokens"], "allowed": True}
            self.events += [{"key": {"timestamp": "now"}, **event}] * self.shown
            self.total += body["tokens"] * self.counted
        return 200, {"items": self.events, "totalTokens": self.total}


@contextmanager
def served(wrong: Wrong) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer = wrong.answer(self.path.partition("?")[0], json.loads(body or b"{}"))
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST  # noqa: N815 the library's name

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("shown", "counted", "said"),
    [
        (0, 0, "not there after 0 s: /usage shows 0 new events of 9 tokens (1 expected)"),
        (1, 0, "not there after 0 s: .* rose by 0, the user's total by 0 (9 expected)"),
        (2, 1, "counted twice: /usage shows 2 new events"),
        (1, 2, "counted twice: .* the report rose by 18"),
    ],
)
def test_a_wrong_system_is_told(shown: int, counted: int, said: str) -> None:
    with served(Wrong(shown, counted)) as url:
        done = smoke(url, "openai", "9", WAIT_SECONDS="0")
    assert done.returncode == 1
    pattern = re.escape(said).replace(r"\.\*", ".*")
    assert re.search(pattern, done.stderr), done.stderr
