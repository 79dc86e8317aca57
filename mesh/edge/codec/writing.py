"""Messages as JSON values.

Most fields need no thought, so a message is taken apart by one attrgetter, in C,
and only the fields that need some are looked at one by one.
"""

import base64
import math
import struct
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import orjson
from google.protobuf.descriptor import FieldDescriptor

from leaky.edge.v1 import options_pb2
from mesh.edge.codec import wellknown

Write = Callable[[Any], Any]
Patch = Callable[[Any, dict[str, Any]], None]
dump = orjson.dumps


class MessageWriter:
    """One message type as a dictionary that orjson takes."""

    def __init__(self, kind: Any, known: dict[str, "MessageWriter"] | None = None) -> None:
        known = {} if known is None else known
        known[kind.full_name] = self
        names = [field.name for field in kind.fields]
        self._keys = [field.json_name for field in kind.fields]
        self._values = _getter(names)
        patches = (_patch(field, known) for field in kind.fields)
        self._patches = tuple(patch for patch in patches if patch)

    def object(self, message: Any) -> dict[str, Any]:
        """The message, each field under its JSON name."""
        out = dict(zip(self._keys, self._values(message), strict=True))
        for patch in self._patches:
            patch(message, out)
        return out


def _getter(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda message: tuple(getattr(message, name) for name in names)


def field_writer(
    field: FieldDescriptor, known: dict[str, MessageWriter] | None = None
) -> Write | None:
    """How a field that is set is written; None when its value will do as it is."""
    known = {} if known is None else known
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _map(field.message_type, known)
    one = _one(field, known)
    if not field.is_repeated:
        return one
    return (lambda values: [one(value) for value in values]) if one else list


def _patch(field: FieldDescriptor, known: dict[str, MessageWriter]) -> Patch | None:
    write = field_writer(field, known)
    if not field.has_presence:
        return _always(field.json_name, write) if write else None
    if field.containing_oneof is not None and not is_optional(field):
        return _chosen(field, write)
    return _nullable(field, write)


def is_optional(field: FieldDescriptor) -> bool:
    """Declared `optional`, for which protoc makes a oneof of its own."""
    oneof = field.containing_oneof
    return oneof is not None and len(oneof.fields) == 1 and bool(oneof.name == f"_{field.name}")


def _always(key: str, write: Write) -> Patch:
    def patch(_message: Any, out: dict[str, Any]) -> None:
        out[key] = write(out[key])

    return patch


def _nullable(field: FieldDescriptor, write: Write | None) -> Patch:
    name, key = field.name, field.json_name

    def patch(message: Any, out: dict[str, Any]) -> None:
        if not message.HasField(name):
            out[key] = None
        elif write:
            out[key] = write(out[key])

    return patch


def _chosen(field: FieldDescriptor, write: Write | None) -> Patch:
    name, key = field.name, field.json_name

    def patch(message: Any, out: dict[str, Any]) -> None:
        if not message.HasField(name):
            del out[key]
        elif write:
            out[key] = write(out[key])

    return patch


def _map(entry: Any, known: dict[str, MessageWriter]) -> Write:
    value = _one(entry.fields_by_name["value"], known)
    if entry.fields_by_name["key"].type == FieldDescriptor.TYPE_BOOL:
        return lambda items: {
            "true" if key else "false": value(item) if value else item
            for key, item in items.items()
        }
    return lambda items: {str(key): value(item) if value else item for key, item in items.items()}


def _one(field: FieldDescriptor, known: dict[str, MessageWriter]) -> Write | None:
    if field.message_type is not None:
        return _message(field.message_type, known)
    if field.type == FieldDescriptor.TYPE_ENUM:
        return _enum(field.enum_type)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _raw if field.GetOptions().Extensions[options_pb2.field].raw_json else _bytes
    return {FieldDescriptor.TYPE_DOUBLE: _double, FieldDescriptor.TYPE_FLOAT: _single}.get(
        field.type
    )


def _message(kind: Any, known: dict[str, MessageWriter]) -> Write:
    if kind.full_name in wellknown.UNSUPPORTED:
        message = f"{kind.full_name} has no place in a JSON body of ours"
        raise TypeError(message)
    if kind.full_name in wellknown.WRITERS:
        return wellknown.WRITERS[kind.full_name]
    if wellknown.is_wrapper(kind):
        write = _one(kind.fields_by_name["value"], known)
        return lambda message: write(message.value) if write else message.value
    writer = known.get(kind.full_name) or MessageWriter(kind, known)
    return writer.object


def _enum(kind: Any) -> Write:
    names = {number: value.name for number, value in kind.values_by_number.items()}
    return lambda number: names.get(number, number)


def _raw(document: bytes) -> orjson.Fragment:
    # Whoever filled the field vouches that it is JSON; it is not looked at again.
    return orjson.Fragment(document or b"{}")


def _bytes(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _double(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _single(value: float) -> float | str:
    if not math.isfinite(value):
        return _double(value)
    for digits in (6, 7, 8):
        short = float(f"{value:.{digits}g}")
        if _rounded(short) == value:
            return short
    return float(f"{value:.9g}")


def _rounded(value: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.inf
