"""Whom a simulated user acts for."""

import base64
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from bench.locust.outcome import Outcome
from mesh.private_file import write_private

_AUTH = "/api/v1/auth"
# Twice the edge's window: who waited for that long and was refused again is not the only one.
_PATIENCE_SECONDS = 120.0


class NoAccountError(Exception):
    """Nobody to act for; the message says why."""


class Calls(Protocol):
    """Makes a call that is counted under its name."""

    def call(self, name: str, verb: str, path: str, **more: Any) -> tuple[Outcome, Any]:
        """What the answer counts as, and its body."""
        ...


class Given(Protocol):
    """What the command line says of it; empty texts for what it does not."""

    @property
    def api_key(self) -> str:
        """A user's."""
        ...

    @property
    def bearer_token(self) -> str:
        """A JWT."""
        ...

    @property
    def username(self) -> str:
        """With a password."""
        ...

    @property
    def password(self) -> str:
        """Its."""
        ...

    @property
    def user_id(self) -> str:
        """Whom to act for, instead of whose credential it is."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user, and what its calls show."""

    user_id: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    username: str = ""
    password: str = field(default="", repr=False)


def account(calls: Calls, options: Given) -> Account:
    """Of the credential that is given, else a new user with an API key. Raises NoAccountError."""
    if options.api_key:
        return _of_key(calls, options)
    if options.bearer_token:
        user_id = options.user_id or _subject(options.bearer_token)
        return Account(user_id=user_id, headers=_bearer(options.bearer_token))
    if options.username:
        return _of_password(calls, options)
    return _registered(calls)


@cache
def load(file: str) -> list[Account]:
    """Those that `save` has kept, before any user begins; read once, however many there are."""
    return [Account(**one) for one in json.loads(Path(file).read_text())]


def save(file: Path, accounts: Iterable[Account]) -> None:
    """For the processes of this user alone: their credentials are in it."""
    write_private(file, json.dumps([asdict(one) for one in accounts]))


def _of_key(calls: Calls, options: Given) -> Account:
    headers = {"X-Api-Key": options.api_key}
    user_id = options.user_id
    if not user_id:
        path = f"{_AUTH}/api-keys/validate"
        user_id = _done(calls, "setup: whose key", "GET", path, headers=headers)["userId"]
    return Account(user_id=user_id, headers=headers)


def _of_password(calls: Calls, options: Given) -> Account:
    body = {"username": options.username, "password": options.password}
    told = _done(calls, "setup: login", "POST", f"{_AUTH}/login", json=body)
    return Account(
        user_id=options.user_id or told["userId"], headers=_bearer(told["token"]), **body
    )


def _registered(calls: Calls) -> Account:
    name = f"load-{uuid.uuid4().hex[:16]}"
    who = {"username": name, "password": uuid.uuid4().hex}
    body = {**who, "email": f"{name}@example.com"}
    told = _done(calls, "setup: register", "POST", f"{_AUTH}/register", json=body)
    key = _done(
        *(calls, "setup: API key", "POST", f"{_AUTH}/api-keys"),
        json={"userId": told["userId"], "name": "load"},
        headers=_bearer(told["token"]),
    )
    return Account(user_id=told["userId"], headers={"X-Api-Key": key["apiKey"]}, **who)


def _done(calls: Calls, name: str, verb: str, path: str, **more: Any) -> Mapping[str, Any]:
    """The body of a success; a full window is waited for."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        outcome, body = calls.call(name, verb, path, **more)
        if outcome.done:
            told: Mapping[str, Any] = body
            return told
        if outcome.failure or time.monotonic() > until:
            raise NoAccountError(f"{name}: {outcome.failure or outcome.refusal}")
        # In a Locust process gevent has made it one that lets the others go on.
        time.sleep(min(float(body.get("retryAfterSeconds") or 1), _PATIENCE_SECONDS))


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _subject(token: str) -> str:
    """The user of a JWT, unverified, as svc_auth will look at it. Raises NoAccountError."""
    try:
        body = token.split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["sub"])
    except (IndexError, ValueError, KeyError, TypeError) as error:
        raise NoAccountError("the bearer token is no JWT with a sub; give --user-id") from error
