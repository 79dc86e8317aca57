"""The codec against protobuf's own json_format, on random messages."""

import importlib
import json
import math
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import orjson
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings

import leaky
from leaky.edge.v1 import options_pb2
from mesh.edge.codec import codec_of

_SETTINGS = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
_I32 = st.integers(-(2**31), 2**31 - 1)
_I64 = st.integers(-(2**63), 2**63 - 1)
_U32 = st.integers(0, 2**32 - 1)
_U64 = st.integers(0, 2**64 - 1)
_F = FieldDescriptor
SCALARS = {
    # JSON has one NaN, binary floats have many.
    _F.TYPE_DOUBLE: st.floats().map(lambda value: math.nan if math.isnan(value) else value),
    _F.TYPE_FLOAT: st.floats(width=32).map(lambda v: math.nan if math.isnan(v) else v),
    _F.TYPE_INT32: _I32,
    _F.TYPE_SINT32: _I32,
    _F.TYPE_SFIXED32: _I32,
    _F.TYPE_INT64: _I64,
    _F.TYPE_SINT64: _I64,
    _F.TYPE_SFIXED64: _I64,
    _F.TYPE_UINT32: _U32,
    _F.TYPE_FIXED32: _U32,
    _F.TYPE_UINT64: _U64,
    _F.TYPE_FIXED64: _U64,
    _F.TYPE_BOOL: st.booleans(),
    _F.TYPE_STRING: st.text(max_size=8),
    _F.TYPE_BYTES: st.binary(max_size=8),
    # 7 is a number that no colour has.
    _F.TYPE_ENUM: st.sampled_from([0, 1, 2, 7]),
}
_NANOS = st.one_of(
    st.just(0),
    st.integers(0, 999).map(lambda n: n * 1_000_000),
    st.integers(0, 999_999).map(lambda n: n * 1_000),
    st.integers(0, 999_999_999),
)


def _raw(field: Any) -> bool:
    return bool(field.GetOptions().Extensions[options_pb2.field].raw_json)


def _of(field: Any, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        return messages(GetMessageClass(field.message_type), depth + 1)
    if _raw(field):
        return st.sampled_from([b'{"a": [1, 2.50]}', b"[]", b'"text"', b""])
    return SCALARS[field.type]


def _duration(pair: tuple[int, int]) -> dict[str, int]:
    seconds, nanos = pair
    return {"seconds": seconds, "nanos": -nanos if seconds < 0 else nanos}


def messages(kind: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    name = kind.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        seconds = st.integers(-62_135_596_800, 253_402_300_799)
        return st.builds(kind, seconds=seconds, nanos=_NANOS)
    if name == "google.protobuf.Duration":
        pairs = st.tuples(st.integers(-315_576_000_000, 315_576_000_000), _NANOS)
        return pairs.map(lambda pair: kind(**_duration(pair)))
    return _regular(kind, depth)


@st.composite
def _regular(draw: Any, kind: Any, depth: int) -> Any:
    message = kind()
    for field in kind.DESCRIPTOR.fields:
        if draw(st.booleans()) and (depth < 2 or field.message_type is None):
            _fill(draw, message, field, depth)
    return message


def _fill(draw: Any, message: Any, field: Any, depth: int) -> None:
    entry = field.message_type if field.is_repeated else None
    if entry is not None and entry.GetOptions().map_entry:
        _fill_map(draw, getattr(message, field.name), entry, depth)
    elif field.is_repeated:
        getattr(message, field.name).extend(draw(st.lists(_of(field, depth), max_size=3)))
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(draw(_of(field, depth)))
        getattr(message, field.name).SetInParent()
    else:
        setattr(message, field.name, draw(_of(field, depth)))


def _fill_map(draw: Any, target: Any, entry: Any, depth: int) -> None:
    value = entry.fields_by_name["value"]
    for key in draw(st.lists(_of(entry.fields_by_name["key"], depth), max_size=2)):
        drawn = draw(_of(value, depth))
        if value.message_type is not None:
            target[key].CopyFrom(drawn)
        else:
            target[key] = drawn


def expected(message: Any, printed: Any) -> Any:
    """What json_format printed, with the documented differences."""
    kind = message.DESCRIPTOR
    if not isinstance(printed, dict) or kind.file.package == "google.protobuf":
        value = kind.fields_by_name.get("value")
        return int(printed) if value is not None and _wide(value) else printed
    return {
        field.json_name: _expected_field(message, field, printed.get(field.json_name))
        for field in kind.fields
        if field.json_name in printed or _nullable(field)
    }


def _nullable(field: Any) -> bool:
    oneof = field.containing_oneof
    return field.has_presence and (oneof is None or len(oneof.fields) == 1)


def _wide(field: Any) -> bool:
    return field.cpp_type in (_F.CPPTYPE_INT64, _F.CPPTYPE_UINT64)


def _expected_field(message: Any, field: Any, printed: Any) -> Any:
    if printed is None:
        return None
    value = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _expected_map(value, field, printed)
    if field.is_repeated:
        return [_expected_one(field, *pair) for pair in zip(value, printed, strict=True)]
    return _expected_one(field, value, printed)


def _expected_map(value: Any, field: Any, printed: Any) -> Any:
    inner = field.message_type.fields_by_name["value"]
    by_text = {str(key).lower() if isinstance(key, bool) else str(key): key for key in value}
    return {
        text: _expected_one(inner, value[by_text[text]], item) for text, item in printed.items()
    }


def _expected_one(field: Any, value: Any, printed: Any) -> Any:
    if field.message_type is not None:
        return expected(value, printed)
    if _raw(field):
        return json.loads(value or b"{}")
    return int(printed) if _wide(field) else printed


def assert_equal_to_json_format(message: Any) -> None:
    printed = json_format.MessageToDict(message, always_print_fields_with_no_presence=True)
    kind: Any = type(message)
    assert orjson.loads(codec_of(kind).write(message)) == expected(message, printed)


@_SETTINGS
@given(data=st.data())
def test_writes_what_json_format_writes(everything: Any, data: Any) -> None:
    assert_equal_to_json_format(data.draw(messages(everything)))


@_SETTINGS
@given(data=st.data(), proto_names=st.booleans())
def test_reads_what_json_format_writes(everything: Any, data: Any, proto_names: bool) -> None:  # noqa: FBT001 drawn
    message = data.draw(messages(everything))
    text = json_format.MessageToJson(message, preserving_proto_field_name=proto_names)
    try:
        assert same(json_format.Parse(text, everything()), message)
    except json_format.ParseError:
        # A float32 whose shortest text is past the largest one; json_format refuses its own.
        return
    assert same(codec_of(everything).read(text.encode()), message)


@_SETTINGS
@given(data=st.data())
def test_reads_what_it_writes(everything: Any, data: Any) -> None:
    message = data.draw(messages(everything))
    codec = codec_of(everything)
    assert same(codec.read(codec.write(message)), message)


def same(one: Message, other: Message) -> bool:
    """Equality under which NaN equals itself."""
    return one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)


def _ours() -> list[Any]:
    found = []
    root = Path(next(iter(leaky.__path__)))
    for path in sorted(root.rglob("*_pb2.py")):
        if path.parent == root / "mesh" / "v1":
            # Frames between processes, which never are JSON.
            continue
        name = ".".join(("leaky", *path.relative_to(root).with_suffix("").parts))
        kinds = importlib.import_module(name).DESCRIPTOR.message_types_by_name
        found += [GetMessageClass(kind) for kind in kinds.values()]
    return found


OURS = _ours()


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.DESCRIPTOR.full_name)
def test_equals_json_format_on_every_message_type_of_ours(kind: Any) -> None:
    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(message=messages(kind))
    def check(message: Any) -> None:
        assert_equal_to_json_format(message)
        codec = codec_of(kind)
        assert codec.write(codec.read(codec.write(message))) == _compact(kind, message)

    check()


def _compact(kind: Any, message: Any) -> bytes:
    """As written, raw documents in orjson's own spelling."""
    return orjson.dumps(orjson.loads(codec_of(kind).write(message)))


def test_finds_our_message_types() -> None:
    assert len(OURS) > 50
