"""Messages on token-usage: what is an event, and what can never be one."""

from typing import Any

import orjson
import pytest

from leaky.common.v1.reason_pb2 import REASON_INVALID_ARGUMENT, REASON_MALFORMED_JSON
from mesh.errors import AppError
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.servicers.usage_message import read_usage

MESSAGE: dict[str, Any] = {
    "eventId": "00000000-0000-4000-8000-000000000001",
    "userId": "AAAAAAAA-0000-4000-8000-000000000000",
    "orgId": None,
    "provider": "openai",
    "tokens": 12,
    "allowed": True,
    "reason": "",
    "timestamp": "2023-11-14T22:13:20.123456Z",
    "schemaVersion": 1,
}


def message(**other: object) -> bytes:
    return orjson.dumps({**MESSAGE, **other})


def test_a_message_is_an_event() -> None:
    assert read_usage(message()) == UsageEvent(
        event_id=MESSAGE["eventId"],
        user_id=MESSAGE["userId"].lower(),
        org_id=None,
        provider="openai",
        tokens=12,
        allowed=True,
        reason="",
        at_us=1_700_000_000_123_456,
    )


def test_what_a_later_writer_adds_is_ignored() -> None:
    assert read_usage(message(colour="red")) == read_usage(message())


@pytest.mark.parametrize("value", [b"", b"{", b"\xff\xfe", b"not json", b'{"tokens":}'])
def test_no_json_is_no_event(value: bytes) -> None:
    with pytest.raises(AppError) as refusal:
        read_usage(value)
    assert refusal.value.reason == REASON_MALFORMED_JSON


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"schemaVersion": 2}, "schema_version"),
        ({"schemaVersion": 0}, "schema_version"),
        ({"eventId": "secret-17"}, "event_id"),
        ({"eventId": ""}, "event_id"),
        ({"userId": None}, "user_id"),
        ({"orgId": "secret-17"}, "org_id"),
        ({"provider": "secret-17" * 10}, "provider"),
        ({"provider": "sec\0ret-17"}, "provider"),
        ({"tokens": -1}, "tokens"),
        ({"tokens": 10**13}, "tokens"),
        ({"tokens": "secret-17"}, "tokens"),
        ({"allowed": "secret-17"}, "allowed"),
        ({"allowed": None}, "allowed"),
        ({"timestamp": None}, "timestamp"),
        ({"timestamp": "1969-12-31T23:59:59Z"}, "timestamp"),
        ({"timestamp": "secret-17"}, "timestamp"),
    ],
)
def test_a_broken_rule_is_named_and_the_message_not_quoted(
    other: dict[str, object], field: str
) -> None:
    with pytest.raises(AppError) as refusal:
        read_usage(message(**other))
    assert refusal.value.reason == REASON_INVALID_ARGUMENT
    assert field in refusal.value.message
    assert "secret" not in refusal.value.message
    assert "ret-17" not in refusal.value.message


@pytest.mark.parametrize("value", [b"null", b"[]", b"17", b'"text"'])
def test_another_document_is_no_event(value: bytes) -> None:
    with pytest.raises(AppError) as refusal:
        read_usage(value)
    assert refusal.value.reason == REASON_INVALID_ARGUMENT
