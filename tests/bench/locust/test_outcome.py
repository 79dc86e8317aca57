from typing import Any

import pytest

from bench.locust.outcome import Outcome, outcome


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_what_was_done_is_a_success_under_its_own_name(status: int) -> None:
    seen = outcome(status, {})
    assert seen == Outcome()
    assert seen.done
    assert seen.name("consume") == "consume"


@pytest.mark.parametrize(
    ("status", "body", "name"),
    [
        (402, {"reason": "INSUFFICIENT_QUOTA"}, "consume [402 quota]"),
        (402, {"reason": "MEMBER_CAP_EXCEEDED"}, "consume [402 member cap]"),
        (429, {"reason": "RATE_LIMIT_EXCEEDED"}, "consume [429 window]"),
        (429, {"allowed": False, "waitSeconds": 2}, "consume [429 bucket]"),
        (429, {"reason": "RATE_LIMITED"}, "consume [429 bucket]"),
        (429, {"reason": "LOGIN_THROTTLED"}, "consume [429 login]"),
    ],
)
def test_documented_refusals_are_no_failures_and_named_apart(
    status: int, body: Any, name: str
) -> None:
    seen = outcome(status, body)
    assert (seen.failure, seen.done, seen.name("consume")) == ("", False, name)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (0, "", "no answer"),
        (400, {"reason": "INVALID_ARGUMENT", "message": "tokens: is missing"}, "is missing"),
        (402, {"reason": "PAYMENT_DECLINED"}, "PAYMENT_DECLINED"),
        (402, {}, "402"),
        (429, {}, "429"),
        (429, "<html>of a proxy</html>", "of a proxy"),
        (429, {"allowed": True}, "429"),
        (404, {"reason": "QUOTA_NOT_FOUND"}, "QUOTA_NOT_FOUND"),
        (500, None, "500"),
        (503, {"reason": "OVERLOADED"}, "OVERLOADED"),
    ],
)
def test_everything_else_is_a_failure_that_says_what_it_was(
    status: int, body: Any, said: str
) -> None:
    seen = outcome(status, body)
    assert said in seen.failure
    assert not seen.done
    assert seen.name("consume") == "consume"


def test_a_long_answer_is_cut() -> None:
    assert len(outcome(500, "x" * 10_000).failure) < 200
