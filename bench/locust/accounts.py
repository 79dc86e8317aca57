"""Accounts made ready before the load, so that registering is no part of it."""

from pathlib import Path
from typing import Any

import httpx

from bench.locust.account import account, save
from bench.locust.options import Options
from bench.locust.outcome import Outcome, outcome

# A new password is hashed at length, and the machine may be busy.
_SECONDS = 30.0


class _Plain:
    """Calls that nobody counts."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def call(self, name: str, verb: str, path: str, **more: Any) -> tuple[Outcome, Any]:  # noqa: ARG002
        """One of them; the name is for those who count."""
        try:
            answer = self._client.request(verb, path, **more)
        except httpx.HTTPError as error:
            return Outcome(failure=f"{type(error).__name__} {error}"), {}
        body = answer.json() if answer.content else {}
        return outcome(answer.status_code, body), body


def made_ready(options: Options, file: Path) -> Path:
    """Writes whom the users act for to the file: one for all where a credential is given.

    Raises NoAccountError.
    """
    number = 1 if options.credentials.given else options.users
    with httpx.Client(base_url=options.base_url, timeout=_SECONDS) as client:
        save(file, [account(_Plain(client), options.credentials) for _ in range(number)])
    return file
