"""JSON schemas of messages and fields, as the codec reads and writes them."""

from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from leaky.edge.v1 import options_pb2
from leaky.edge.v1.options_pb2 import FORMAT_EMAIL, FORMAT_UUID
from mesh.edge.codec import wellknown
from mesh.edge.codec.writing import is_optional
from mesh.edge.openapi.comments import comment_of

Schema = dict[str, Any]
_INT32: Schema = {"type": "integer", "format": "int32"}
_INT64: Schema = {"type": "integer", "format": "int64"}
_SCALARS: dict[int, Schema] = {
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_SFIXED32: _INT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_SINT64: _INT64,
    FieldDescriptor.TYPE_SFIXED64: _INT64,
    FieldDescriptor.TYPE_UINT32: {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
    FieldDescriptor.TYPE_FIXED32: {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
    FieldDescriptor.TYPE_UINT64: {"type": "integer", "minimum": 0},
    FieldDescriptor.TYPE_FIXED64: {"type": "integer", "minimum": 0},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "format": "byte"},
}
_WELL_KNOWN: dict[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "examples": ["1.5s"]},
}
_FORMATS = {FORMAT_UUID: "uuid", FORMAT_EMAIL: "email"}


class Schemas:
    """Collects the components that schemas refer to.

    Answers hold every field, so all of it is required there; a request holds
    what its rules require.
    """

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}

    def answer(self, kind: Any) -> Schema:
        """A reference to a message as it is printed."""
        return self._message(kind, kind.fields, reading=False)

    def request(self, kind: Any, fields: Iterable[Any]) -> Schema:
        """A reference to a message as it is read, with these of its fields."""
        return self._message(kind, fields, reading=True)

    def _message(self, kind: Any, fields: Iterable[Any], *, reading: bool) -> Schema:
        name = f"{kind.full_name}.Input" if reading else kind.full_name
        if name not in self.components:
            schema = self.components[name] = {"type": "object"}
            schema.update(self._object(kind, list(fields), reading=reading))
        return {"$ref": f"#/components/schemas/{name}"}

    def _object(self, kind: Any, fields: list[Any], *, reading: bool) -> Schema:
        properties = {field.json_name: self.field(field, reading=reading) for field in fields}
        required = [
            field.json_name
            for field in fields
            if (is_required(field) if reading else _printed(field))
        ]
        schema: Schema = {"properties": properties}
        if required:
            schema["required"] = required
        comment = comment_of(kind.full_name)
        return {**schema, "description": comment} if comment else schema

    def field(self, field: Any, *, reading: bool) -> Schema:
        """One field's schema, with its rule and its comment."""
        schema = self._shape(field, reading=reading)
        if field.has_presence and not (reading and is_required(field)):
            schema = nullable(schema)
        comment = comment_of(field.full_name)
        return {**schema, "description": comment} if comment else schema

    def _shape(self, field: Any, *, reading: bool) -> Schema:
        kind = field.message_type
        if kind is not None and kind.GetOptions().map_entry:
            value = self._one(kind.fields_by_name["value"], reading=reading)
            return {"type": "object", "additionalProperties": value}
        one = self._one(field, reading=reading)
        return {"type": "array", "items": one} if field.is_repeated else one

    def _one(self, field: Any, *, reading: bool) -> Schema:
        kind = field.message_type
        if kind is None:
            return _scalar(field, reading=reading)
        if kind.full_name in _WELL_KNOWN:
            return dict(_WELL_KNOWN[kind.full_name])
        if wellknown.is_wrapper(kind):
            return _scalar(kind.fields_by_name["value"], reading=reading)
        return self._message(kind, kind.fields, reading=reading)


def is_required(field: Any) -> bool:
    """Whether the field's rule wants it in a request."""
    return bool(_rule(field).required)


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]} if schema else schema


def _printed(field: Any) -> bool:
    return field.containing_oneof is None or is_optional(field)


def _rule(field: Any) -> Any:
    return field.GetOptions().Extensions[options_pb2.field]


def _scalar(field: Any, *, reading: bool) -> Schema:
    rule = _rule(field)
    if rule.raw_json:
        return {}
    if field.enum_type is not None:
        return {"type": "string", "enum": [value.name for value in field.enum_type.values]}
    schema = {**_SCALARS[field.type], **_bounds(field, rule)}
    return {**schema, **_texts(rule)} if reading and schema["type"] == "string" else schema


def _bounds(field: Any, rule: Any) -> Schema:
    whole = field.cpp_type not in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)
    names = {"min": "minimum", "max": "maximum", "default_number": "default"}
    values = {key: getattr(rule, name) for name, key in names.items() if rule.HasField(name)}
    return {key: int(value) if whole else value for key, value in values.items()}


def _texts(rule: Any) -> Schema:
    shortest = max(rule.min_length, int(rule.required))
    schema: Schema = {
        "format": _FORMATS.get(rule.format) or ("password" if rule.secret else None),
        "minLength": shortest or None,
        "maxLength": rule.max_length or None,
        "enum": list(rule.one_of) or None,
    }
    return {key: value for key, value in schema.items() if value is not None}
