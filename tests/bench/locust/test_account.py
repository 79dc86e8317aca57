"""Whom users act for, by what an edge answers."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from bench.locust.account import Account, NoAccountError, account, load, save
from bench.locust.options import Credentials
from bench.locust.outcome import Outcome


class Answers:
    """An edge that says what it was told to, and remembers what it was asked."""

    def __init__(self, *answers: tuple[Outcome, Any]) -> None:
        self.answers, self.asked = list(answers), list[tuple[str, str, Any]]()

    def call(self, name: str, verb: str, path: str, **more: Any) -> tuple[Outcome, Any]:
        assert name.startswith("setup: ")
        self.asked.append((verb, path, more))
        return self.answers.pop(0)


DONE = Outcome()


def jwt(**claims: str) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"head.{body}.signature"


def test_without_a_credential_a_user_is_registered_and_given_a_key() -> None:
    edge = Answers((DONE, {"userId": "u1", "token": "jwt"}), (DONE, {"apiKey": "leaky_u1_x"}))
    made = account(edge, Credentials())
    assert made.headers == {"X-Api-Key": "leaky_u1_x"}
    assert (made.user_id, bool(made.username), bool(made.password)) == ("u1", True, True)
    (_, register, first), (_, keys, second) = edge.asked
    assert (register, keys) == ("/api/v1/auth/register", "/api/v1/auth/api-keys")
    assert first["json"]["password"] == made.password
    assert second["headers"] == {"Authorization": "Bearer jwt"}


def test_a_key_is_of_whom_the_edge_says() -> None:
    edge = Answers((DONE, {"userId": "u2"}))
    made = account(edge, Credentials(api_key="leaky_u2_x"))
    assert (made.user_id, made.headers) == ("u2", {"X-Api-Key": "leaky_u2_x"})


def test_a_bearer_token_is_of_its_subject() -> None:
    token = jwt(sub="u3")
    made = account(Answers(), Credentials(bearer_token=token))
    assert (made.user_id, made.headers) == ("u3", {"Authorization": f"Bearer {token}"})
    with pytest.raises(NoAccountError, match="no JWT"):
        account(Answers(), Credentials(bearer_token="opaque"))


def test_who_logs_in_is_known_afterwards() -> None:
    edge = Answers((DONE, {"userId": "u4", "token": "jwt"}))
    made = account(edge, Credentials(username="ada", password="sesame"))
    assert (made.user_id, made.username, made.password) == ("u4", "ada", "sesame")
    assert made.headers == {"Authorization": "Bearer jwt"}
    assert "sesame" not in repr(made)


@pytest.mark.parametrize(
    ("more", "answers"),
    [
        ({"api_key": "leaky_x"}, ()),
        ({"bearer_token": "opaque"}, ()),
        ({"username": "a", "password": "b"}, ((DONE, {"userId": "u", "token": "t"}),)),
    ],
)
def test_another_user_may_be_named(more: dict[str, str], answers: Any) -> None:
    made = account(Answers(*answers), Credentials(user_id="u9", **more))
    assert made.user_id == "u9"


def test_a_full_window_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    full = (Outcome(refusal="429 window"), {"retryAfterSeconds": 7})
    edge = Answers(full, full, (DONE, {"userId": "u", "token": "t"}))
    account(edge, Credentials(username="a", password="b"))
    assert slept == [7.0, 7.0]


def test_a_failure_is_told() -> None:
    edge = Answers((Outcome(failure="401 BAD_CREDENTIALS no"), {}))
    with pytest.raises(NoAccountError, match="setup: login: 401 BAD_CREDENTIALS"):
        account(edge, Credentials(username="a", password="b"))


def test_accounts_are_kept_for_this_user_alone(tmp_path: Path) -> None:
    made = [Account(user_id="u1", headers={"X-Api-Key": "k"}), Account(user_id="u2")]
    save(tmp_path / "accounts", made)
    assert load(str(tmp_path / "accounts")) == made
    assert (tmp_path / "accounts").stat().st_mode & 0o777 == 0o600
