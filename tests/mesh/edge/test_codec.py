"""What a codec takes and refuses, and that a refusal names the field."""

from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from google.rpc.status_pb2 import Status

from leaky.analytics.v1.ingest_service_pb2 import PublishUsageRequest
from leaky.token.v1.consume_service_pb2 import ConsumeRequest, ConsumeResponse
from leaky.token.v1.purchase_pb2 import Purchase
from mesh.edge.codec import codec_of
from mesh.errors import AppError


def refusal(kind: Any, body: bytes) -> AppError:
    with pytest.raises(AppError) as raised:
        codec_of(kind).read(body)
    return raised.value


def test_prints_unset_optionals_and_times_as_null_and_defaults_always() -> None:
    printed = orjson.loads(codec_of(Purchase).write(Purchase(id="a", tokens=2**60)))
    assert printed == {
        "id": "a",
        "userId": "",
        "orgId": None,
        "provider": "",
        "tokens": 2**60,
        "idempotencyKey": None,
        "status": "",
        "createdAt": None,
        "updatedAt": None,
    }


def test_prints_a_set_but_empty_optional_as_it_is() -> None:
    assert orjson.loads(codec_of(Purchase).write(Purchase(org_id="")))["orgId"] == ""


def test_carries_raw_json_byte_for_byte() -> None:
    raw = b'{ "b":1.50,\n "a": [ 1e2 ], "big": 123456789012345678901234567890 }'
    written = codec_of(ConsumeResponse).write(ConsumeResponse(provider_response=raw))
    assert b'"providerResponse":' + raw + b"}" in written


def test_prints_empty_raw_json_as_an_empty_object() -> None:
    assert (
        orjson.loads(codec_of(ConsumeResponse).write(ConsumeResponse()))["providerResponse"] == {}
    )


@pytest.mark.parametrize("tokens", ["5", '"5"', "5.0", '"5.0"', '"5e0"', "5e0", "0.5e1"])
def test_takes_whole_numbers_in_every_spelling(tokens: str) -> None:
    body = f'{{"tokens": {tokens}}}'
    assert codec_of(ConsumeRequest).read(body.encode()).tokens == 5
    assert json_format.Parse(body, ConsumeRequest()).tokens == 5


@pytest.mark.parametrize(
    "tokens",
    [
        "true",
        "5.5",
        '"5.5"',
        '""',
        '" 5"',
        '"5\\n"',
        '"0x5"',
        '"1_0"',
        '"five"',
        '"\\u0665"',
        "[]",
        "{}",
        "9223372036854775808",
        "-9223372036854775809",
        '"9223372036854775808"',
        "18446744073709551616",
        "1e30",
        '"1e30"',
        '"NaN"',
        '"Infinity"',
        '"' + "9" * 5000 + '"',
        '"' + "1e9999" + '"',
    ],
)
def test_refuses_what_is_no_int64_and_names_the_field(tokens: str) -> None:
    error = refusal(ConsumeRequest, f'{{"tokens": {tokens}}}'.encode())
    assert error.outcome.name == "INVALID_ARGUMENT"
    assert [violation.field for violation in error.violations] == ["tokens"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"NaN",
        b'{"tokens": NaN}',
        b'{"tokens": Infinity}',
        b'{"tokens": 1' + b"0" * 5000 + b"}",
        b'{"tokens": 1e999}',
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"provider": "\xff"}',
        b'{"provider": "\\ud800"}',
        b'{"provider": "\\udc00\\ud800"}',
        b'{"a": 1,}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": "\x00"}',
        b"{} {}",
    ],
)
def test_refuses_what_is_no_json(body: bytes) -> None:
    assert refusal(ConsumeRequest, body).outcome.name == "MALFORMED_JSON"


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"text"', b"true", b"[{}]"])
def test_refuses_a_document_that_is_no_object(body: bytes) -> None:
    assert refusal(ConsumeRequest, body).outcome.http_status == 400


@pytest.mark.parametrize("value", ["1", "true", "[]", "{}", "1.5"])
def test_refuses_other_types_for_text(value: str) -> None:
    error = refusal(ConsumeRequest, f'{{"userId": {value}}}'.encode())
    assert error.violations[0].field == "userId"


def test_names_a_nested_field_by_its_json_path() -> None:
    error = refusal(PublishUsageRequest, b'{"events":[{},{"schema_version":"x"}]}')
    assert error.violations[0].field == "events[1].schemaVersion"


def test_refuses_null_elements_and_what_is_no_array() -> None:
    assert refusal(PublishUsageRequest, b'{"events":[null]}').violations[0].field == "events[0]"
    assert refusal(PublishUsageRequest, b'{"events":{}}').violations[0].field == "events"


def test_never_quotes_a_value() -> None:
    assert "hunter2" not in refusal(ConsumeRequest, b'{"tokens": "hunter2"}').message


def test_takes_camel_and_proto_names_ignores_unknown_ones_and_nulls() -> None:
    body = b'{"user_id":"a","orgId":null,"more":{"deep":[1]},"":1,"tokens":null}'
    message = codec_of(ConsumeRequest).read(body)
    assert message == ConsumeRequest(user_id="a")
    assert not message.HasField("tokens")


def test_the_last_of_duplicate_keys_counts() -> None:
    assert codec_of(ConsumeRequest).read(b'{"tokens":1,"tokens":2}').tokens == 2


def test_takes_a_nul_in_text() -> None:
    assert codec_of(ConsumeRequest).read(b'{"provider":"a\\u0000b"}').provider == "a\0b"


def test_bounds_the_nesting_of_types_that_hold_themselves(everything: Any) -> None:
    deep = b'{"itself":' * 90 + b"{}" + b"}" * 90
    assert codec_of(everything).read(deep).HasField("itself")
    for levels in (101, 900):
        deep = b'{"itself":' * levels + b"{}" + b"}" * levels
        assert refusal(everything, deep).outcome.http_status == 400


def test_refuses_two_of_a_oneof(everything: Any) -> None:
    assert refusal(everything, b'{"chosenText":"a","chosenCount":1}').outcome.http_status == 400
    assert codec_of(everything).read(b'{"chosenText":null,"chosenCount":1}').chosen_count == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("aTimestamp", '"2026-01-31"'),
        ("aTimestamp", '"2026-13-31T00:00:00Z"'),
        ("aTimestamp", '"2026-01-31T24:00:00Z"'),
        ("aTimestamp", '"2026-01-31T00:00:00"'),
        ("aTimestamp", '"0001-01-01T00:00:00+01:00"'),
        ("aTimestamp", '"9999-12-31T23:59:59-01:00"'),
        ("aTimestamp", "1"),
        ("aTimestamp", "{}"),
        ("aDuration", '"1"'),
        ("aDuration", '"1e3s"'),
        ("aDuration", '"999999999999s"'),
        ("aDuration", "1"),
        ("oneBytes", '"!"'),
        ("oneBytes", '"A"'),
        ("oneBytes", "1"),
        ("oneBytes", '"\u00e9"'),
        ("oneEnum", '"COLOUR_GREEN"'),
        ("oneEnum", "true"),
        ("oneEnum", "1.5"),
        ("oneBool", '"true"'),
        ("oneBool", "1"),
        ("oneDouble", "true"),
        ("oneDouble", '"nan"'),
        ("oneDouble", '"1e400"'),
        ("oneDouble", '""'),
        ("oneFloat", "1e39"),
        ("oneUint32", "-1"),
        ("oneUint64", "18446744073709551616"),
        ("oneInt32", "2147483648"),
        ("byInt32", '{"x":1}'),
        ("byBool", '{"yes":1}'),
        ("byString", '{"a":null}'),
        ("byString", "[]"),
        ("leafByName", '{"a":1}'),
        ("leaf", "[]"),
        ("anInt64Value", '"x"'),
    ],
)
def test_refuses_values_of_the_wrong_kind(everything: Any, field: str, value: str) -> None:
    field = "aInt64value" if field == "anInt64Value" else field
    error = refusal(everything, f'{{"{field}": {value}}}'.encode())
    assert error.outcome.name == "INVALID_ARGUMENT"
    assert error.violations[0].field.startswith(field)


def test_takes_what_json_format_takes_of_words_for_doubles(everything: Any) -> None:
    read = codec_of(everything).read
    assert read(b'{"oneDouble":"Infinity"}').one_double == float("inf")
    assert str(read(b'{"oneDouble":"NaN"}').one_double) == "nan"


def test_takes_offsets_and_urlsafe_base64_without_padding(everything: Any) -> None:
    read = codec_of(everything).read
    zoned = read(b'{"aTimestamp":"2026-01-31T12:00:00.5+02:00"}').a_timestamp
    assert zoned.ToJsonString() == "2026-01-31T10:00:00.500Z"
    assert read(b'{"oneBytes":"-_8"}').one_bytes == b"\xfb\xff"


def test_refuses_to_compile_what_has_no_place_in_a_body() -> None:
    with pytest.raises(TypeError, match="Any"):
        codec_of(Status)
