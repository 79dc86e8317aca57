"""Values that a field must refuse, from its type and its rule."""

import uuid
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from leaky.edge.v1 import options_pb2
from leaky.edge.v1.options_pb2 import FORMAT_EMAIL, FORMAT_UUID, Field

_WHOLE = {FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64}
_TEXT, _MESSAGE = FieldDescriptor.CPPTYPE_STRING, FieldDescriptor.CPPTYPE_MESSAGE
_NO_NUMBERS = ("abc", "", " ", "NaN", "Infinity", "-Infinity", "0x10", "1_000", "+1", "\u0663")
_NO_TIMES = ("x", "", "2030-13-01T00:00:00Z", "2030-01-01", "2001-01-01T00:00:00Z", "0")
_ID = str(uuid.UUID(int=7))
_NO_UUIDS = ("x", _ID.replace("-", ""), _ID + "\n", f"{{{_ID}}}", _ID[:-1] + "g", "a" * 5000)
_NO_EMAILS = ("x", "a@", "@b", "a b@c.de", "a@b@c")


def in_json(field: FieldDescriptor) -> Iterator[Any]:
    """What a JSON body may not hold there; None stands for null."""
    rule = rule_of(field)
    yield from ({}, [1], {"a": {}}, 10**30)
    if field.is_repeated and field.cpp_type == _TEXT:
        yield from (True, 1, 1.5, "x", [{}], [[]])
        return
    yield []
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        yield from (0, 1, 1.5, "yes", "")
        return
    yield True
    if rule.required:
        yield None
    if field.cpp_type in _WHOLE:
        yield from (1.5, -1.5, "1.5", 1e300, *_NO_NUMBERS, *_beyond(rule))
    elif field.cpp_type == _MESSAGE:
        yield from (1, 1.5, *_NO_TIMES)
    else:
        yield from (1, 1.5, *_no_texts(rule))


def in_text(field: FieldDescriptor) -> Iterator[str]:
    """What a query parameter may not hold."""
    rule = rule_of(field)
    if field.cpp_type == _TEXT:
        yield from _no_texts(rule)
    else:
        yield from _NO_NUMBERS
    if field.cpp_type in _WHOLE:
        yield from ("1.5", *map(str, () if rule.clamp else _beyond(rule)))


def in_path(field: FieldDescriptor) -> Iterator[str]:
    """What a path segment may not hold; an empty one is another path."""
    return (text for text in in_text(field) if text.strip())


def rule_of(field: FieldDescriptor) -> Field:
    """The field's rule."""
    rule: Field = field.GetOptions().Extensions[options_pb2.field]
    return rule


def _beyond(rule: Field) -> Iterator[int]:
    yield from (-(2**63) - 1, 2**63, 10**19, 10**25)
    if rule.HasField("min"):
        yield int(rule.min) - 1
    if rule.HasField("max"):
        yield int(rule.max) + 1


def _no_texts(rule: Field) -> Iterator[str]:
    if rule.required:
        yield from ("", "   ", "\t\n")
    yield "a\0b"
    if rule.max_length:
        yield "x" * (rule.max_length + 1)
    if rule.min_length > 1:
        yield "x" * (rule.min_length - 1)
    if rule.format == FORMAT_UUID:
        yield from _NO_UUIDS
    if rule.format == FORMAT_EMAIL:
        yield from _NO_EMAILS
