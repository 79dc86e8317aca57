"""What people do, over and over, each kind in a thread of its own; slow enough for two cores."""

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.e2e.cast import PASSWORD, new_key
from tests.e2e.system import System

Do = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody with an API key."""

    id: str
    name: str
    key: Mapping[str, str]


def newcomer(http: httpx.Client) -> User:
    """Registered, and signed in."""
    name = f"u-{uuid.uuid4().hex[:12]}"
    body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    made = http.post("/api/v1/auth/register", json=body)
    assert made.status_code == 201, made.text
    token = {"authorization": f"Bearer {made.json()['token']}"}
    user = made.json()["userId"]
    return User(id=user, name=name, key={"x-api-key": new_key(http, user, token)["rawKey"]})


def consume(http: httpx.Client, who: User, provider: str, tokens: int = 1) -> httpx.Response:
    """Uses tokens."""
    body = {"userId": who.id, "provider": provider, "tokens": tokens}
    return http.post("/api/v1/tokens/consume", json=body, headers=who.key)


def purchase(http: httpx.Client, who: User) -> httpx.Response:
    """Buys some."""
    body = {"userId": who.id, "provider": "openai", "tokens": 5}
    return http.post("/api/v1/tokens/purchase", json=body, headers=who.key)


def login(http: httpx.Client, name: str, password: str = PASSWORD) -> httpx.Response:
    """Signs in, or fails to."""
    return http.post("/api/v1/auth/login", json={"username": name, "password": password})


def look(http: httpx.Client, who: User, path: str, **params: str) -> httpx.Response:
    """Reads something."""
    return http.get(path, params={"provider": "openai", **params}, headers=who.key)


def usual(http: httpx.Client, who: User) -> list[tuple[Do, float]]:
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
        (lambda: login(http, who.name), 2.0),
        (lambda: newcomer(http), 3.0),
    ]


def faulty(system: System, http: httpx.Client, who: User, spent: User) -> list[tuple[Do, float]]:
    """What goes on while much is wrong. Each kind comes from an address of its own."""
    auth = httpx.Client(base_url=system.url("auth"), timeout=15)

    def invented() -> Any:
        key = f"leaky_{uuid.uuid4()}_{'x' * 43}"
        seen = {"x-api-key": key, "x-forwarded-for": "192.0.2.7"}
        return http.get("/api/v1/tokens/quota", params={"userId": who.id}, headers=seen)

    def flood() -> Any:
        return http.get("/api/v1/auth/health", headers={"x-forwarded-for": "192.0.2.8"})

    return [
        (lambda: consume(http, who, "openai"), 0.3),
        (lambda: consume(http, who, "gemini", 900), 0.3),
        (lambda: consume(http, spent, "qwen", 5), 0.2),
        # Of accounts that are not there, each another one: nobody is slowed down.
        (lambda: login(auth, f"nobody-{uuid.uuid4().hex[:8]}"), 0.1),
        (invented, 0.2),
        (flood, 0.02),
    ]


@contextmanager
def going_on(what: Sequence[tuple[Do, float]]) -> Iterator[None]:
    """Until the block ends; what is under way then is waited for."""
    stop = threading.Event()

    def again(do: Do, pause: float) -> None:
        while not stop.wait(pause):
            do()

    with ExitStack() as stack:
        for do, pause in what:
            thread = threading.Thread(target=again, args=(do, pause))
            thread.start()
            stack.callback(thread.join)
        stack.callback(stop.set)
        yield
