"""When a call is sent again: only when that does no harm, and never past its deadline."""

from typing import Any

import pytest

from leaky.client import RetryPolicy, errors
from tests.client.conftest import Reply, Server, Twin

ID = "6f1c1b56-6c0e-4b63-9c3b-0d8f3f1f5a11"
WHEN = "2026-01-02T03:04:05Z"
STATUS = Reply(body={"service": "s", "status": "ok", "timestamp": WHEN, "version": "1"})
STARTED = Reply(status=202, body={"sagaId": ID, "status": "STARTED", "createdAt": WHEN})
AWAY = Reply(status=503, body={"message": "m", "reason": "UNAVAILABLE"})
DROPPED = Reply(drop=True)
PURCHASE = {"user_id": ID, "provider": "qwen", "tokens": 1}


def limited(seconds: str) -> Reply:
    body = {"message": "m", "reason": "RATE_LIMIT_EXCEEDED"}
    return Reply(status=429, body=body, headers={"Retry-After": seconds})


@pytest.mark.parametrize("failure", [AWAY, DROPPED, limited("0")])
def test_an_idempotent_call_is_tried_three_times(
    twin: Twin, server: Server, failure: Reply
) -> None:
    server.answers(failure, failure, STATUS)
    assert twin.call(server.url, "quota.get_status").status == "ok"
    assert len(server.seen) == 3
    assert twin.clock.slept == [0.1, 0.2]


def test_the_third_failure_is_the_calls_own(twin: Twin, server: Server) -> None:
    server.answers(AWAY)
    with pytest.raises(errors.Unavailable):
        twin.call(server.url, "quota.get_status")
    assert len(server.seen) == 3


def test_backoff_has_full_jitter_and_a_bound(twin: Twin, server: Server) -> None:
    server.answers(AWAY)
    draws = iter([0.0, 0.5, 0.5, 1.0])
    policy = RetryPolicy(
        max_attempts=5, first_backoff=1.0, max_backoff=3.0, jitter=lambda: next(draws)
    )
    with pytest.raises(errors.Unavailable):
        twin.call(server.url, "quota.get_status", client={"retry": policy, "timeout": 60.0})
    assert twin.clock.slept == [0.0, 1.0, 1.5, 3.0]


def test_retry_after_is_waited_for(twin: Twin, server: Server) -> None:
    server.answers(limited("3"), STATUS)
    twin.call(server.url, "quota.get_status")
    assert twin.clock.slept == [3.0]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (limited("5"), errors.RateLimitExceeded),
        (Reply(status=503, headers={"Retry-After": "60"}), errors.Unavailable),
    ],
)
def test_a_wait_past_the_deadline_is_not_begun(
    twin: Twin, server: Server, reply: Reply, kind: type[Exception]
) -> None:
    server.answers(reply)
    with pytest.raises(kind):
        twin.call(server.url, "quota.get_status", timeout=5.0)
    assert (len(server.seen), twin.clock.slept) == (1, [])


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=429, body={"message": "no Retry-After"}),
        Reply(status=502, body={"message": "m", "reason": "PROVIDER_CALL_FAILED"}),
        Reply(status=500, body={"message": "m", "reason": "INTERNAL"}),
        Reply(status=504, body={"message": "m", "reason": "DEADLINE_EXCEEDED"}),
        Reply(status=404, body={"message": "m", "reason": "QUOTA_NOT_FOUND"}),
        Reply(status=503, body={"message": "m", "reason": "FEATURE_DISABLED"}),
        Reply(status=503, body={"message": "m", "reason": "PROVIDER_DISABLED"}),
    ],
)
def test_what_another_try_cannot_change_is_not_tried(
    twin: Twin, server: Server, reply: Reply
) -> None:
    server.answers(reply)
    with pytest.raises(errors.LeakyError):
        twin.call(server.url, "quota.get_status")
    assert len(server.seen) == 1


CONSUME = {"user_id": ID, "provider": "openai", "tokens": 1}


@pytest.mark.parametrize("failure", [AWAY, DROPPED, limited("0")])
@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("consume.consume", CONSUME),
        ("purchase.create_purchase", PURCHASE),
        ("auth.login", {"username": "u", "password": "p"}),
        ("api_key.delete_api_key", {"user_id": ID, "api_key_id": ID}),
        ("chat.chat", {"provider": "openai", "body": {"prompt": "p"}}),
    ],
)
def test_a_call_that_may_not_be_repeated_is_sent_once(
    twin: Twin, server: Server, failure: Reply, method: str, arguments: dict[str, Any]
) -> None:
    server.answers(failure)
    with pytest.raises(errors.LeakyError):
        twin.call(server.url, method, **arguments)
    assert (len(server.seen), twin.clock.slept) == (1, [])


def test_a_purchase_with_a_key_is_repeated_under_that_key(twin: Twin, server: Server) -> None:
    server.answers(DROPPED, AWAY, STARTED)
    twin.call(server.url, "purchase.create_purchase", **PURCHASE, idempotency_key="k1")
    assert [seen.headers["idempotency-key"] for seen in server.seen] == ["k1"] * 3
    assert len({str(seen.body) for seen in server.seen}) == 1


def test_the_budget_ends_retries_against_a_server_that_fails(twin: Twin, server: Server) -> None:
    server.answers(AWAY)
    results = twin.run(server.url, [("quota.get_status", {})] * 6)
    assert all(isinstance(result, errors.Unavailable) for result in results)
    # Ten tokens, one a failure, none spent below the half: 3 + 2 tries, then one a call.
    assert len(server.seen) == 3 + 2 + 4


def test_answers_refill_the_budget_by_a_tenth(twin: Twin, server: Server) -> None:
    call: tuple[str, dict[str, Any]] = ("quota.get_status", {})
    server.answers(*[AWAY] * 5, *[STATUS] * 10, AWAY, STATUS)
    results = twin.run(server.url, [call] * 13)
    kinds = [type(result).__name__ for result in results]
    assert kinds == ["Unavailable"] * 2 + ["GetStatusResponse"] * 10 + ["Unavailable"]
    server.seen.clear()
    server.answers(*[AWAY] * 5, *[STATUS] * 20, AWAY, STATUS)
    twin.run(server.url, [call] * 23)
    assert len(server.seen) == 5 + 20 + 2
