"""A message type with a field of every kind, made at run time."""

from typing import Any

import pytest
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    message_factory,
    timestamp_pb2,
    wrappers_pb2,
)

Field = descriptor_pb2.FieldDescriptorProto
SCALARS = {
    "double": Field.TYPE_DOUBLE,
    "float": Field.TYPE_FLOAT,
    "int32": Field.TYPE_INT32,
    "int64": Field.TYPE_INT64,
    "uint32": Field.TYPE_UINT32,
    "uint64": Field.TYPE_UINT64,
    "sint32": Field.TYPE_SINT32,
    "sint64": Field.TYPE_SINT64,
    "fixed32": Field.TYPE_FIXED32,
    "fixed64": Field.TYPE_FIXED64,
    "sfixed32": Field.TYPE_SFIXED32,
    "sfixed64": Field.TYPE_SFIXED64,
    "bool": Field.TYPE_BOOL,
    "string": Field.TYPE_STRING,
    "bytes": Field.TYPE_BYTES,
    "enum": Field.TYPE_ENUM,
}
MAP_KEYS = ("int32", "int64", "uint64", "bool", "string")
WELL_KNOWN = ("Timestamp", "Duration", "Int64Value", "DoubleValue", "StringValue", "BoolValue")
DEPENDENCIES = [module.DESCRIPTOR.name for module in (duration_pb2, timestamp_pb2, wrappers_pb2)]


def _typed(field: Any, kind: str) -> None:
    if kind in SCALARS:
        field.type = SCALARS[kind]
        if kind == "enum":
            field.type_name = ".leaky.test.Colour"
        return
    field.type = Field.TYPE_MESSAGE
    prefix = ".google.protobuf" if kind in WELL_KNOWN else ".leaky.test"
    field.type_name = f"{prefix}.{kind}"


class Builder:
    def __init__(self, message: Any) -> None:
        self.message = message

    def add(self, name: str, kind: str, label: int = Field.LABEL_OPTIONAL) -> Any:
        field = self.message.field.add(name=name, number=len(self.message.field) + 1, label=label)
        _typed(field, kind)
        return field

    def optional(self, name: str, kind: str) -> None:
        field = self.add(name, kind)
        field.proto3_optional = True
        field.oneof_index = len(self.message.oneof_decl)
        self.message.oneof_decl.add(name=f"_{name}")

    def map(self, name: str, key: str, value: str) -> None:
        entry_name = "".join(part.capitalize() for part in name.split("_")) + "Entry"
        entry = self.message.nested_type.add(name=entry_name)
        entry.options.map_entry = True
        _typed(entry.field.add(name="key", number=1, label=1), key)
        _typed(entry.field.add(name="value", number=2, label=1), value)
        field = self.message.field.add(
            name=name, number=len(self.message.field) + 1, label=Field.LABEL_REPEATED
        )
        field.type = Field.TYPE_MESSAGE
        field.type_name = f".leaky.test.Everything.{entry_name}"


def _everything(file: Any) -> None:
    build = Builder(file.message_type.add(name="Everything"))
    build.message.oneof_decl.add(name="choice")
    for name, kind in (
        ("chosen_text", "string"),
        ("chosen_count", "int64"),
        ("chosen_leaf", "Leaf"),
    ):
        build.add(name, kind).oneof_index = 0
    for kind in SCALARS:
        build.add(f"one_{kind}", kind)
        build.add(f"many_{kind}", kind, Field.LABEL_REPEATED)
    for kind in WELL_KNOWN:
        build.add(f"a_{kind.lower()}", kind)
    build.add("many_timestamp", "Timestamp", Field.LABEL_REPEATED)
    build.add("leaf", "Leaf")
    build.add("leaves", "Leaf", Field.LABEL_REPEATED)
    build.add("itself", "Everything")
    for key in MAP_KEYS:
        build.map(f"by_{key}", key, "double")
    build.map("leaf_by_name", "string", "Leaf")
    build.map("colour_by_name", "string", "enum")
    # Oneofs that protoc makes for `optional` come after the real ones.
    for kind in SCALARS:
        build.optional(f"maybe_{kind}", kind)


def _file() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="leaky/test/everything.proto", package="leaky.test", syntax="proto3"
    )
    file.dependency.extend(DEPENDENCIES)
    colours = file.enum_type.add(name="Colour")
    for number, name in enumerate(("COLOUR_UNSPECIFIED", "COLOUR_RED", "COLOUR_BLUE")):
        colours.value.add(name=name, number=number)
    leaf = Builder(file.message_type.add(name="Leaf"))
    leaf.add("user_id", "string")
    leaf.add("count", "int64")
    leaf.optional("ratio", "double")
    _everything(file)
    return file


@pytest.fixture(scope="session")
def everything() -> Any:
    """The class of leaky.test.Everything."""
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(_file().SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("leaky.test.Everything"))
