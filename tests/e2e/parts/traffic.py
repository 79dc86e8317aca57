"""What people do, over and over, each kind in a thread of its own; slow enough for two cores."""

import secrets
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx

from tests.e2e.cast import Person, login, make_admin, registered, signed_in
from tests.e2e.system import System

Do = Callable[[], object]


def empty_pool(system: System, http: httpx.Client, who: Person) -> str:
    """An organisation of this user's, whose pool at qwen has nothing in it."""
    root, org = f"root-{uuid.uuid4().hex[:8]}", str(uuid.uuid4())
    make_admin(system, root)
    admin = signed_in(http, root).bearer
    put = http.put(f"/api/v1/orgs/{org}/members/{who.id}", headers=admin)
    assert put.status_code == 204, put.text
    pool = {"orgId": org, "provider": "qwen", "totalTokens": 1}
    assert http.post("/api/v1/tokens/quota/org", json=pool, headers=admin).is_success
    return org


def consume(
    http: httpx.Client, who: Person, provider: str, tokens: int = 1, org: str | None = None
) -> httpx.Response:
    """Uses tokens."""
    body = {"userId": who.id, "orgId": org, "provider": provider, "tokens": tokens}
    return http.post("/api/v1/tokens/consume", json=body, headers=who.api_key)


def purchase(http: httpx.Client, who: Person) -> httpx.Response:
    """Buys some."""
    body = {"userId": who.id, "provider": "openai", "tokens": 5}
    return http.post("/api/v1/tokens/purchase", json=body, headers=who.api_key)


def look(http: httpx.Client, who: Person, path: str, **params: str) -> httpx.Response:
    """Reads something."""
    return http.get(path, params={"provider": "openai", **params}, headers=who.api_key)


def usual(http: httpx.Client, who: Person) -> list[tuple[Do, float]]:
    """Everything that goes on while all is well, and the seconds between two of each."""
    analytics = "/api/v1/analytics"
    return [
        *((lambda name=name: consume(http, who, name), 0.4) for name in ("openai", "gemini")),
        (lambda: consume(http, who, "qwen"), 0.4),
        (lambda: look(http, who, "/api/v1/tokens/quota", userId=who.id), 0.7),
        (lambda: look(http, who, f"{analytics}/usage"), 1.5),
        (lambda: look(http, who, f"{analytics}/report"), 1.5),
        (lambda: look(http, who, f"{analytics}/anomalies"), 1.5),
        (lambda: purchase(http, who), 1.5),
        (lambda: login(http, who.username), 2.0),
        (lambda: registered(http), 5.0),
    ]


def faulty(
    http: httpx.Client, auth: httpx.Client, who: Person, spent: str
) -> list[tuple[Do, float]]:
    """What goes on while much is wrong, at the edge, and at svc_auth where no window is before it.

    `spent` is an organisation whose pool at qwen is empty.
    """

    def guessed() -> Any:
        # Of accounts that are not there, each another one: none is slowed down.
        return login(auth, f"nobody-{uuid.uuid4().hex[:8]}")

    def invented() -> Any:
        # Each from another address, or the edge's window would end it.
        address = f"198.51.100.{secrets.randbelow(250)}"
        key = f"leaky_{uuid.uuid4()}_{'x' * 43}"
        seen = {"x-api-key": key, "x-forwarded-for": address}
        return http.get("/api/v1/tokens/quota", params={"userId": who.id}, headers=seen)

    def flood() -> Any:
        return http.get("/api/v1/auth/health", headers={"x-forwarded-for": "192.0.2.8"})

    return [
        (lambda: consume(http, who, "openai"), 0.2),
        (lambda: consume(http, who, "gemini", 900), 0.1),
        (lambda: consume(http, who, "qwen", 5, spent), 0.1),
        (guessed, 0.1),
        (guessed, 0.1),
        (invented, 0.1),
        (flood, 0.02),
    ]


@contextmanager
def going_on(what: Sequence[tuple[Do, float]]) -> Iterator[None]:
    """Until the block ends; what is under way then is waited for. Raises what ended one early."""
    stop = threading.Event()

    def again(do: Do, pause: float) -> None:
        while not stop.wait(pause):
            do()

    with ThreadPoolExecutor(len(what)) as pool:
        running = [pool.submit(again, do, pause) for do, pause in what]
        try:
            yield
        finally:
            stop.set()
    for one in running:
        one.result()
