"""Each kind of field rule, on a message type made for it; and all message types of ours."""

import importlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, timestamp_pb2
from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st

from leaky.edge.v1 import options_pb2
from leaky.edge.v1.options_pb2 import FORMAT_EMAIL, FORMAT_PRINTABLE, FORMAT_UUID
from mesh.rpc.interceptors.validation import compile_message
from mesh.rpc.rules import compile_checks

Proto = descriptor_pb2.FieldDescriptorProto
ID = "3F1B2C4D-0000-4000-8000-00000000000A"
TYPES = {
    "string": Proto.TYPE_STRING,
    "int64": Proto.TYPE_INT64,
    "double": Proto.TYPE_DOUBLE,
    "bytes": Proto.TYPE_BYTES,
}


def add(message: Any, name: str, kind: str, *, many: bool = False, optional: bool = False) -> Any:
    label = Proto.LABEL_REPEATED if many else Proto.LABEL_OPTIONAL
    field = message.field.add(name=name, number=len(message.field) + 1, label=label)
    if kind in TYPES:
        field.type = TYPES[kind]
    else:
        field.type, field.type_name = Proto.TYPE_MESSAGE, kind
    if optional:
        field.proto3_optional, field.oneof_index = True, len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{name}")
    return field.options.Extensions[options_pb2.field]


def _form() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="leaky/test/form.proto", package="leaky.test", syntax="proto3"
    )
    for module in (options_pb2, timestamp_pb2, duration_pb2):
        file.dependency.append(module.DESCRIPTOR.name)
    inner = file.message_type.add(name="Row")
    add(inner, "id", "string").format = FORMAT_UUID
    add(inner, "ids", "string", many=True).format = FORMAT_UUID
    form = file.message_type.add(name="Form")
    add(form, "plain", "string")
    add(form, "needed", "string").required = True
    add(form, "needed_count", "int64", optional=True).required = True
    add(form, "needed_row", ".leaky.test.Row").required = True
    add(form, "needed_rows", ".leaky.test.Row", many=True).required = True
    add(form, "id", "string").format = FORMAT_UUID
    add(form, "email", "string").format = FORMAT_EMAIL
    add(form, "label", "string").format = FORMAT_PRINTABLE
    name = add(form, "name", "string")
    name.min_length, name.max_length = 3, 5
    add(form, "maybe", "string", optional=True).min_length = 1
    add(form, "colour", "string").one_of.extend(["red", "blue"])
    share = add(form, "share", "int64")
    share.min, share.max = 1, 10
    limit = add(form, "limit", "int64", optional=True)
    limit.min, limit.max, limit.clamp, limit.default_number = 1, 200, True, 20
    factor = add(form, "factor", "double", optional=True)
    factor.min, factor.clamp, factor.default_number = 1.0, True, 2.0
    add(form, "at", ".google.protobuf.Timestamp")
    add(form, "during", ".google.protobuf.Duration")
    add(form, "words", "string", many=True)
    pool = descriptor_pool.DescriptorPool()
    for module in (descriptor_pb2, options_pb2, timestamp_pb2, duration_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName("leaky.test.Form"))


FORM = _form()
CHECK = compile_message(FORM.DESCRIPTOR)
GOOD: dict[str, Any] = {
    "needed": "x",
    "needed_count": 0,
    "needed_row": {},
    "needed_rows": [{}],
    "share": 5,
}


def faults(**fields: Any) -> list[tuple[str, str]]:
    return [(fault.field, fault.message) for fault in CHECK(FORM(**{**GOOD, **fields}))]


def test_a_good_message_has_no_faults() -> None:
    assert faults() == []


def test_what_is_required_must_be_there() -> None:
    required = ["needed", "needed_count", "needed_row", "needed_rows"]
    assert [fault.field for fault in CHECK(FORM(share=5))] == required
    assert {fault.message for fault in CHECK(FORM(share=5))} == {"is required"}
    assert faults(needed="  \t") == [("needed", "is required")]


def test_a_uuid_is_one_and_is_spelled_in_one_way() -> None:
    message = FORM(**GOOD, id=ID)
    assert CHECK(message) == []
    assert message.id == ID.lower()
    for bad in ("x", ID[:-1], f"{ID}\n", f"{{{ID}}}", ID.replace("-", "")):
        assert faults(id=bad) == [("id", "must be a UUID")]


def test_printable_text_has_no_control_characters() -> None:
    assert faults(label="an order, N\u00b0 7") == []
    for bad in ("a\tb", "a\n", "\x7f", "\x85", "\u2028"):
        assert faults(label=bad) == [("label", "must be printable")]


def test_an_email_address_has_one_at_with_something_around() -> None:
    assert faults(email="ada@example") == []
    for bad in ("ada", "@example", "ada@", "a b@c", "a@b@c"):
        assert faults(email=bad) == [("email", "must be an email address")]


def test_lengths_count_characters() -> None:
    assert faults(name="äöü") == []
    assert faults(name="ab") == [("name", "must have at least 3 characters")]
    assert faults(name="äöüäöü") == [("name", "must have at most 5 characters")]
    assert faults(name="") == []
    assert faults(maybe="") == [("maybe", "must have at least 1 characters")]


def test_only_the_texts_allowed() -> None:
    assert faults(colour="red") == []
    assert faults(colour="Red") == [("colour", "must be one of red, blue")]


@pytest.mark.parametrize("field", ["plain", "id", "needed"])
def test_no_text_holds_nul(field: str) -> None:
    assert faults(**{field: "a\0b"}) == [(field, "must not contain NUL")]


def test_lists_of_texts_are_looked_at_one_by_one() -> None:
    assert faults(words=["a", "b\0"]) == [("words[1]", "must not contain NUL")]
    message = FORM(**{**GOOD, "needed_row": {"ids": [ID, ID]}})
    assert CHECK(message) == []
    assert list(message.needed_row.ids) == [ID.lower()] * 2


def test_a_number_out_of_range_is_a_fault_or_the_nearest_bound() -> None:
    for bad in (0, 11, -(2**63)):
        assert faults(share=bad) == [("share", "must be between 1 and 10")]
    for given_, kept in ((0, 1), (-5, 1), (201, 200), (2**63 - 1, 200), (7, 7)):
        message = FORM(**GOOD, limit=given_)
        assert CHECK(message) == []
        assert message.limit == kept


def test_a_number_that_is_not_given_has_its_default_and_zero_is_given() -> None:
    message = FORM(**GOOD)
    assert CHECK(message) == []
    assert (message.limit, message.factor) == (20, 2.0)


def test_what_is_no_number_is_not_clamped() -> None:
    for bad in (math.nan, math.inf):
        assert faults(factor=bad) == [("factor", "must be a finite number")]
    message = FORM(**GOOD, factor=-math.inf)
    assert CHECK(message) == []
    assert message.factor == 1.0


def test_faults_within_have_their_path() -> None:
    rows = [{"id": ID}, {"id": "x", "ids": [ID, "y"]}]
    assert faults(needed_rows=rows) == [
        ("needed_rows[1].id", "must be a UUID"),
        ("needed_rows[1].ids[1]", "must be a UUID"),
    ]
    assert faults(needed_row={"id": "x"}) == [("needed_row.id", "must be a UUID")]


def test_a_time_is_one_of_the_calendar() -> None:
    assert faults(at={"seconds": 253_402_300_799, "nanos": 999_999_999}) == []
    assert faults(during={"seconds": -1, "nanos": -1}) == []
    for bad in ({"seconds": 2**62}, {"seconds": -(2**62)}, {"nanos": -1}, {"nanos": 2**30}):
        assert faults(at=bad) == [("at", "is out of range")]
    assert faults(during={"seconds": 2**62}) == [("during", "is out of range")]


@given(st.integers(-(2**63), 2**63 - 1), st.floats())
def test_what_passes_is_within_its_bounds(limit: int, factor: float) -> None:
    message = FORM(**GOOD, limit=limit, factor=factor)
    assert CHECK(message) == [] or not math.isfinite(factor)
    assert 1 <= message.limit <= 200
    if math.isfinite(factor):
        assert message.factor >= 1


def test_a_rule_that_cannot_be_kept_is_refused_when_it_is_compiled() -> None:
    file = descriptor_pb2.FileDescriptorProto(name="l.proto", package="l", syntax="proto3")
    file.dependency.append(options_pb2.DESCRIPTOR.name)
    add(file.message_type.add(name="L"), "counts", "int64", many=True).max = 3
    pool = descriptor_pool.DescriptorPool()
    for known in (descriptor_pb2.DESCRIPTOR, options_pb2.DESCRIPTOR):
        pool.AddSerializedFile(known.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    with pytest.raises(TypeError, match=r"l\.L\.counts"):
        compile_checks(pool.FindMessageTypeByName("l.L"))


GENERATED = Path(options_pb2.__file__).parents[3]


def _files() -> Iterator[FileDescriptor]:
    for path in sorted(GENERATED.rglob("*_pb2.py")):
        name = ".".join(path.relative_to(GENERATED).with_suffix("").parts)
        yield importlib.import_module(name).DESCRIPTOR


MESSAGES: list[Descriptor] = [
    message for file in _files() for message in file.message_types_by_name.values()
]


def test_there_are_messages_of_every_area() -> None:
    areas = {message.file.package for message in MESSAGES}
    assert {f"leaky.{area}.v1" for area in ("analytics", "auth", "provider", "token")} <= areas


@pytest.mark.parametrize("descriptor", MESSAGES, ids=lambda message: message.full_name)
def test_every_message_of_ours_compiles_and_judges_an_empty_one(descriptor: Descriptor) -> None:
    message = GetMessageClass(descriptor)()
    required = {
        field.name
        for field in descriptor.fields
        if field.GetOptions().Extensions[options_pb2.field].required
    }
    assert required <= {fault.field for fault in compile_message(descriptor)(message)}
