"""The SDK against the descriptors: nothing is missing, and both clients are the same."""

import inspect
import json
from collections.abc import Iterator
from datetime import UTC
from typing import Any, get_type_hints

import pytest
from google.api import annotations_pb2
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from leaky.analytics.v1 import analytics_service_pb2, ingest_service_pb2
from leaky.auth.v1 import (
    api_key_service_pb2,
    auth_service_pb2,
    credential_service_pb2,
    invitation_service_pb2,
    oauth_client_service_pb2,
    oauth_consent_service_pb2,
    organization_service_pb2,
    user_service_pb2,
)
from leaky.client import AsyncClient, Client, _decode, models
from leaky.edge.v1 import options_pb2
from leaky.provider.v1 import chat_service_pb2, payment_service_pb2
from leaky.token.v1 import (
    consume_service_pb2,
    member_cap_service_pb2,
    metering_service_pb2,
    purchase_service_pb2,
    quota_service_pb2,
)
from mesh.codegen.sdk.naming import snake

FILES = [
    analytics_service_pb2,
    ingest_service_pb2,
    api_key_service_pb2,
    auth_service_pb2,
    credential_service_pb2,
    invitation_service_pb2,
    oauth_client_service_pb2,
    oauth_consent_service_pb2,
    organization_service_pb2,
    user_service_pb2,
    chat_service_pb2,
    payment_service_pb2,
    consume_service_pb2,
    member_cap_service_pb2,
    metering_service_pb2,
    purchase_service_pb2,
    quota_service_pb2,
]


def public() -> Iterator[Any]:
    for file in FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                if method.GetOptions().HasExtension(annotations_pb2.http):
                    yield method


METHODS = list(public())


def bound(client: type, method: Any) -> Any:
    attribute = snake(method.containing_service.name.removesuffix("Service"))
    service = get_type_hints(getattr(client, attribute).fget)["return"]
    return getattr(service, snake(method.name))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_every_rest_method_is_there_twice_and_alike(method: Any) -> None:
    sync, twin = bound(Client, method), bound(AsyncClient, method)
    assert inspect.iscoroutinefunction(twin)
    assert not inspect.iscoroutinefunction(sync)
    assert inspect.signature(sync) == inspect.signature(twin)
    assert sync.__doc__ == twin.__doc__


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_arguments_are_the_request_fields_by_name_only(method: Any) -> None:
    parameters = dict(inspect.signature(bound(Client, method)).parameters)
    del parameters["self"]
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters.values())
    fields = {field.name: field for field in method.input_type.fields}
    assert parameters.keys() == fields.keys() | {"timeout", "trace"}
    for name, field in fields.items():
        required = field.GetOptions().Extensions[options_pb2.field].required
        assert (parameters[name].default is inspect.Parameter.empty) == required


def test_internal_methods_are_not_there() -> None:
    served = {method.containing_service.name for method in METHODS}
    attributes = {name for name in vars(Client) if isinstance(vars(Client)[name], property)}
    assert attributes == {snake(name.removesuffix("Service")) for name in served}
    assert not hasattr(
        bound(Client, METHODS[0]).__globals__["OrganizationService"], "get_membership"
    )


def messages() -> Iterator[Any]:
    """Every message that has a model, found from the answers."""
    waiting = [method.output_type for method in METHODS]
    known = set()
    while waiting:
        message = waiting.pop()
        if message.full_name in known or not message.full_name.startswith("leaky."):
            continue
        known.add(message.full_name)
        waiting += [field.message_type for field in message.fields if field.message_type]
        if hasattr(models, message.name):
            yield message


def filled(descriptor: Any) -> Message:
    """A message with something in every field."""
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        values = {
            field.CPPTYPE_STRING: b'{"a": [1]}' if field.type == field.TYPE_BYTES else "text",
            field.CPPTYPE_INT64: 2**53 - 1,
            field.CPPTYPE_INT32: 7,
            field.CPPTYPE_DOUBLE: 0.1,
            field.CPPTYPE_BOOL: True,
        }
        target = getattr(message, field.name)
        if field.message_type and field.message_type.name == "Timestamp":
            target.FromJsonString("2026-01-02T03:04:05.678901Z")
        elif field.is_repeated:
            value = filled(field.message_type) if field.message_type else "text"
            target.extend([value, value])
        elif field.message_type:
            target.CopyFrom(filled(field.message_type))
        else:
            setattr(message, field.name, values[field.cpp_type])
    return message


def printed(message: Message) -> Any:
    """As the edge prints it: protobuf's JSON, but raw JSON as it is."""
    document = json_format.MessageToDict(message, always_print_fields_with_no_presence=True)
    for field in message.DESCRIPTOR.fields:
        if field.type == field.TYPE_BYTES:
            raw = getattr(message, field.name)
            document[field.json_name] = json.loads(raw) if raw else {}
    return document


def check(message: Any, model: Any) -> None:
    assert type(model).__name__ == message.DESCRIPTOR.name
    for field in message.DESCRIPTOR.fields:
        value, got = getattr(message, field.name), getattr(model, field.name)
        if field.is_repeated:
            assert len(got) == len(value)
            for one, other in zip(value, got, strict=True):
                check(one, other) if field.message_type else _same(one, other)
        elif field.message_type and field.message_type.name == "Timestamp":
            assert got == value.ToDatetime(tzinfo=UTC)
        elif field.message_type:
            check(value, got)
        else:
            _same(json.loads(value) if isinstance(value, bytes) else value, got)


def _same(value: object, got: object) -> None:
    assert (type(got), got) == (type(value), value)


@pytest.mark.parametrize("message", list(messages()), ids=lambda message: message.name)
def test_every_model_holds_what_the_message_said(message: Any) -> None:
    original = filled(message)
    decode = getattr(_decode, f"to_{snake(message.name)}")
    check(original, decode(printed(original)))


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("User", "disabled_at"),
        ("OauthConsent", "last_used_at"),
        ("ApiKey", "expires_at"),
        ("ApiKey", "last_used_at"),
        ("GetUserUsageResponse", "last_event_at"),
    ],
)
def test_what_a_server_may_leave_out_is_none(name: str, field: str) -> None:
    [message] = [one for one in messages() if one.name == name]
    original = filled(message)
    original.ClearField(field)
    # The edge prints what is not there as null.
    document = {**printed(original), message.fields_by_name[field].json_name: None}
    assert getattr(getattr(_decode, f"to_{snake(name)}")(document), field) is None


def test_models_are_frozen_and_slotted() -> None:
    quota = models.UsageKey(provider="p", timestamp=None)  # type: ignore[arg-type]  # not looked at
    with pytest.raises(AttributeError):
        quota.provider = "q"  # type: ignore[misc]  # the point
    assert not hasattr(quota, "__dict__")
