"""JSON scalars as protobuf takes them; a reader returns the value or raises Wrong."""

import base64
import binascii
import math
import re
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from leaky.edge.v1 import options_pb2
from mesh.edge.codec.writing import dump
from mesh.edge.codec.wrong import Wrong

Read = Callable[[Any], Any]
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,400})(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,4})?")
_WHOLE = re.compile(r"-?[0-9]{1,20}")
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
# From here on a binary32 rounds to infinity (IEEE 754).
_SINGLE_END = (2 - 2**-24) * 2.0**127


def _integer(low: int, high: int) -> Read:
    def read(value: Any) -> int:
        number = value if type(value) is int else _whole(value)
        if low <= number <= high:
            return number
        raise Wrong(f"must be from {low} to {high}")

    return read


def _clamped(low: int, high: int) -> Read:
    """For fields whose rule clamps: what their type cannot hold is out of range all the same."""
    return lambda value: min(max(value if type(value) is int else _whole(value), low), high)


def _whole(value: Any) -> int:
    if type(value) is str:
        if _WHOLE.fullmatch(value):
            return int(value)
        value = float(value) if _NUMBER.fullmatch(value) else None
    # The parser turns whole numbers below -(2**63) into the float that -(2**63) is.
    if type(value) is float and value.is_integer() and value > -(2.0**63):
        return int(value)
    raise Wrong("must be a whole number")


def _double(value: Any) -> float:
    if type(value) is str:
        if value in _WORDS:
            return _WORDS[value]
        value = float(value) if _NUMBER.fullmatch(value) else None
    if (type(value) is float and math.isfinite(value)) or type(value) is int:
        return float(value)
    raise Wrong("must be a number")


def _single(value: Any) -> float:
    number = _double(value)
    if math.isfinite(number) and abs(number) >= _SINGLE_END:
        raise Wrong("is too large a number")
    return number


def finite(value: Any) -> float:
    """A number that is one; NaN and infinities are none."""
    number = _double(value)
    if math.isfinite(number):
        return number
    raise Wrong("must be a number")


def _bool(value: Any) -> bool:
    if type(value) is bool:
        return value
    raise Wrong("must be true or false")


def flag(value: Any) -> bool:
    """A truth value written as text."""
    if value in ("true", "false"):
        return bool(value == "true")
    raise Wrong("must be true or false")


def _string(value: Any) -> str:
    if type(value) is str:
        return value
    raise Wrong("must be a string")


def _bytes(value: Any) -> bytes:
    text = _string(value).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Wrong("must be base64") from None


def _enum(kind: Any) -> Read:
    numbers = {name: value.number for name, value in kind.values_by_name.items()}
    integer = _integer(-(2**31), 2**31 - 1)

    def read(value: Any) -> Any:
        if type(value) is str and value in numbers:
            return numbers[value]
        try:
            return integer(value)
        except Wrong:
            raise Wrong(f"must be one of {', '.join(numbers)}") from None

    return read


_I32, _I64 = (-(2**31), 2**31 - 1), (-(2**63), 2**63 - 1)
_U32, _U64 = (0, 2**32 - 1), (0, 2**64 - 1)
_RANGES: dict[int, tuple[int, int]] = {
    FieldDescriptor.TYPE_INT32: _I32,
    FieldDescriptor.TYPE_SINT32: _I32,
    FieldDescriptor.TYPE_SFIXED32: _I32,
    FieldDescriptor.TYPE_INT64: _I64,
    FieldDescriptor.TYPE_SINT64: _I64,
    FieldDescriptor.TYPE_SFIXED64: _I64,
    FieldDescriptor.TYPE_UINT32: _U32,
    FieldDescriptor.TYPE_FIXED32: _U32,
    FieldDescriptor.TYPE_UINT64: _U64,
    FieldDescriptor.TYPE_FIXED64: _U64,
}
_READERS: dict[int, Read] = {
    **{kind: _integer(low, high) for kind, (low, high) in _RANGES.items()},
    FieldDescriptor.TYPE_DOUBLE: _double,
    FieldDescriptor.TYPE_FLOAT: _single,
    FieldDescriptor.TYPE_BOOL: _bool,
    FieldDescriptor.TYPE_STRING: _string,
    FieldDescriptor.TYPE_BYTES: _bytes,
}


def is_raw(field: FieldDescriptor) -> bool:
    """Whether the field's bytes are a JSON document."""
    return bool(field.GetOptions().Extensions[options_pb2.field].raw_json)


def scalar_reader(field: FieldDescriptor) -> Read:
    """How one value of a field that is no message is read from JSON."""
    if field.type == FieldDescriptor.TYPE_ENUM:
        return _enum(field.enum_type)
    if is_raw(field):
        return dump
    if field.type in _RANGES and field.GetOptions().Extensions[options_pb2.field].clamp:
        return _clamped(*_RANGES[field.type])
    return _READERS[field.type]
