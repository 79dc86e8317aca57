"""What each kind of call sends, and what it makes of the answer."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from leaky.client import LeakyError, models
from tests.client.conftest import Reply, Server, Twin

USER = "6f1c1b56-6c0e-4b63-9c3b-0d8f3f1f5a11"
ORG = "0b1b2a3c-1111-4222-8333-444455556666"
WHEN = "2026-01-02T03:04:05.678901Z"
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
QUOTA = {
    "userId": USER,
    "provider": "openai",
    "totalTokens": 100_000,
    "remainingTokens": "99990",
    "resetTime": WHEN,
    "updatedAt": WHEN,
    "addedLater": {"is": "ignored"},
}


def test_query_fields_are_sent_in_camel_case_and_the_answer_is_typed(
    twin: Twin, server: Server
) -> None:
    server.answers(Reply(body=QUOTA))
    quota = twin.call(server.url, "quota.get_quota", user_id=USER, provider="open ai/&=é")
    [seen] = server.seen
    assert (seen.verb, seen.path, seen.body) == ("GET", "/api/v1/tokens/quota", None)
    assert seen.query == {"userId": USER, "provider": "open ai/&=é"}
    assert quota == models.Quota(
        user_id=USER,
        provider="openai",
        total_tokens=100_000,
        remaining_tokens=99_990,
        reset_time=MOMENT,
        updated_at=MOMENT,
    )


def test_optional_query_fields_are_left_out(twin: Twin, server: Server) -> None:
    report = {"windowStart": WHEN, "windowEnd": WHEN, "items": None}
    server.answers(Reply(body=report))
    shares = twin.call(server.url, "analytics.list_provider_shares")
    assert server.seen[0].query == {}
    assert shares.items == ()
    twin.call(server.url, "analytics.list_provider_shares", window_minutes=5)
    assert server.seen[1].query == {"windowMinutes": "5"}


def test_a_body_holds_the_fields_that_are_set(twin: Twin, server: Server) -> None:
    answer = {
        "allowed": True,
        "capacity": 1000,
        "used": 10,
        "remaining": 990,
        "waitSeconds": 0,
        "timestamp": WHEN,
        "providerResponse": {"choices": [{"text": "hi"}], "n": None},
    }
    server.answers(Reply(body=answer))
    consumed = twin.call(
        server.url, "consume.consume", user_id=USER, provider="openai", tokens=10, prompt="hi"
    )
    [seen] = server.seen
    assert (seen.verb, seen.path, seen.query) == ("POST", "/api/v1/tokens/consume", {})
    assert seen.headers["content-type"] == "application/json"
    assert seen.body == {"userId": USER, "provider": "openai", "tokens": 10, "prompt": "hi"}
    assert consumed.provider_response == {"choices": [{"text": "hi"}], "n": None}
    assert (consumed.allowed, consumed.used, consumed.timestamp) == (True, 10, MOMENT)


def test_path_fields_are_escaped_and_no_content_is_none(twin: Twin, server: Server) -> None:
    server.answers(Reply(status=204))
    assert twin.call(server.url, "organization.put_member", org_id=ORG, user_id="a/b?c") is None
    [seen] = server.seen
    assert (seen.verb, seen.path) == ("PUT", f"/api/v1/orgs/{ORG}/members/a%2Fb%3Fc")
    assert seen.body is None


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_a_path_field_that_would_name_another_path_is_refused(
    twin: Twin, server: Server, value: str
) -> None:
    server.answers(Reply(status=204))
    with pytest.raises(ValueError, match="user_id"):
        twin.call(server.url, "organization.delete_member", org_id=ORG, user_id=value)
    assert server.seen == []


def test_an_array_becomes_a_tuple(twin: Twin, server: Server) -> None:
    key = {
        "id": ORG,
        "userId": USER,
        "name": "laptop",
        "createdAt": WHEN,
        "expiresAt": None,
        "lastUsedAt": WHEN,
        "prefix": "leaky_6f1c",
    }
    server.answers(Reply(body=[key]))
    [listed] = twin.call(server.url, "api_key.list_api_keys", user_id=USER)
    assert (listed.expires_at, listed.last_used_at, listed.prefix) == (None, MOMENT, "leaky_6f1c")


def test_header_fields_travel_as_headers_only(twin: Twin, server: Server) -> None:
    answer = {"sagaId": ORG, "status": "STARTED", "createdAt": WHEN}
    server.answers(Reply(status=202, body=answer))
    started = twin.call(
        server.url,
        "purchase.create_purchase",
        user_id=USER,
        provider="qwen",
        tokens=7,
        idempotency_key="order 1",
    )
    [seen] = server.seen
    assert seen.headers["idempotency-key"] == "order 1"
    assert seen.body == {"userId": USER, "provider": "qwen", "tokens": 7}
    assert started == models.CreatePurchaseResponse(
        saga_id=ORG, status="STARTED", created_at=MOMENT
    )


def test_a_key_to_be_validated_wins_over_the_clients_own(twin: Twin, server: Server) -> None:
    answer = {"userId": USER, "name": "laptop", "expiresAt": None, "roles": ["USER", "ADMIN"]}
    server.answers(Reply(body=answer))
    own = {"api_key": "leaky_own"}
    owner = twin.call(server.url, "api_key.validate_api_key", api_key="leaky_other", client=own)
    twin.call(server.url, "api_key.validate_api_key", client=own)
    assert [seen.headers["x-api-key"] for seen in server.seen] == ["leaky_other", "leaky_own"]
    assert owner.roles == ("USER", "ADMIN")


def test_chat_sends_and_gives_back_any_json_object(twin: Twin, server: Server) -> None:
    server.answers(Reply(body={"id": "1", "message": "Stubbed OpenAI response"}))
    body = {"model": "m", "messages": [{"role": "user", "content": "ü"}], "stop": None}
    answer = twin.call(server.url, "chat.chat", provider="openai", body=body)
    [seen] = server.seen
    assert (seen.verb, seen.path, seen.body) == ("POST", "/api/v1/openai/chat", body)
    assert answer == {"id": "1", "message": "Stubbed OpenAI response"}


def test_moments_are_sent_in_utc(twin: Twin, server: Server) -> None:
    key = {
        "id": ORG,
        "userId": USER,
        "name": "n",
        "createdAt": WHEN,
        "rawKey": "leaky_a_b",
        "apiKey": "leaky_a_b",
    }
    server.answers(Reply(status=201, body=key))
    east = datetime(2030, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    made = twin.call(server.url, "api_key.create_api_key", user_id=USER, name="n", expires_at=east)
    assert server.seen[0].body["expiresAt"] == "2030-01-01T00:00:00Z"
    assert made.raw_key == "leaky_a_b"
    with pytest.raises(ValueError, match="time zone"):
        twin.call(
            server.url,
            "api_key.create_api_key",
            user_id=USER,
            name="n",
            expires_at=east.replace(tzinfo=None),
        )


@pytest.mark.parametrize(
    "reply",
    [
        Reply(raw=b"<html>a proxy's page with a secret</html>"),
        Reply(raw=b"\xff\xfe secret"),
        Reply(raw=b"[" * 100_000),
        Reply(status=204),
        Reply(body=["secret"]),
        Reply(body=QUOTA | {"totalTokens": "secret"}),
        Reply(body=QUOTA | {"totalTokens": 1.5}),
        Reply(body=QUOTA | {"totalTokens": True}),
        Reply(body=QUOTA | {"userId": 5}),
        Reply(body=QUOTA | {"resetTime": None}),
        Reply(body=QUOTA | {"resetTime": "2026-01-01T00:00:00"}),
        Reply(body=QUOTA | {"resetTime": "secret"}),
    ],
)
def test_an_answer_of_another_shape_is_an_error_that_does_not_repeat_it(
    twin: Twin, server: Server, reply: Reply
) -> None:
    server.answers(reply)
    with pytest.raises(LeakyError) as caught:
        twin.call(server.url, "quota.get_quota", user_id=USER, provider="openai")
    assert caught.value.reason == "INVALID_RESPONSE"
    assert caught.value.status == reply.status
    assert "QuotaService.GetQuota" in str(caught.value)
    assert "secret" not in repr(caught.value) + str(caught.value)
    assert caught.value.__cause__ is None
    assert len(server.seen) == 1
