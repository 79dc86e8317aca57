"""Fields as Python types, and how each is read from JSON."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mesh.codegen.descriptors import Schema
from mesh.codegen.sdk.naming import camel, snake
from mesh.codegen.sdk.plan import Attribute, Model, UnsupportedError

TIMESTAMP = "google.protobuf.Timestamp"
# How a comment says that a message field may be absent, wherever in it; proto3 cannot.
UNSET = re.compile(r"\bunset\b", re.IGNORECASE)


class Scalar(NamedTuple):
    """A type, the decoder of one value, and the default of an absent one."""

    annotation: str
    decoder: str
    default: str | None


_TEXT = Scalar("str", "decode.text", '""')
_INTEGER = Scalar("int", "decode.integer", "0")
_NUMBER = Scalar("float", "decode.number", "0.0")
_BOOLEAN = Scalar("bool", "decode.boolean", "False")
_DOCUMENT = Scalar("dict[str, Any]", "decode.document", "{}")
_MOMENT = Scalar("datetime", "decode.time", None)


@dataclass(slots=True)
class Types:
    """Turns fields into types, and collects the models that they need."""

    schema: Schema
    models: dict[str, Model] = field(default_factory=dict)

    def scalar(self, descriptor: Any) -> Scalar:
        """The type of one value of a field."""
        if descriptor.message_type is not None:
            return self._message(descriptor.message_type)
        if descriptor.type == descriptor.TYPE_BYTES and self.rule(descriptor).raw_json:
            return _DOCUMENT
        if descriptor.type == descriptor.TYPE_BYTES:
            raise UnsupportedError(f"{descriptor.full_name}: bytes that are not raw_json")
        by_kind = {
            descriptor.CPPTYPE_STRING: _TEXT,
            descriptor.CPPTYPE_ENUM: _TEXT,
            descriptor.CPPTYPE_BOOL: _BOOLEAN,
            descriptor.CPPTYPE_FLOAT: _NUMBER,
            descriptor.CPPTYPE_DOUBLE: _NUMBER,
        }
        return by_kind.get(descriptor.cpp_type, _INTEGER)

    def rule(self, descriptor: Any) -> Any:
        """A field's leaky.edge.v1.Field."""
        return self.schema.option(descriptor, "FieldOptions", "leaky.edge.v1.field")

    def comment(self, descriptor: Any) -> str:
        """What the proto says of it."""
        return self.schema.comments.get(descriptor.full_name, "")

    def model(self, message: Any) -> Model:
        """The dataclass of a message, and with it those of its fields."""
        if message.full_name not in self.models:
            name = self._name(message)
            comment, decoder = self.comment(message), f"to_{snake(name)}"
            empty = Model(name=name, decoder=decoder, comment=comment, attributes=())
            # Known before its fields are looked at: a message may hold itself.
            self.models[message.full_name] = empty
            attributes = tuple(self._attribute(part) for part in message.fields)
            self.models[message.full_name] = Model(
                name=name, decoder=decoder, comment=comment, attributes=attributes
            )
        return self.models[message.full_name]

    def _name(self, message: Any) -> str:
        # Two packages may use one name; then the package's area tells them apart.
        packages = Counter(
            name for file in self.schema.files for name in file.message_types_by_name
        )
        area = camel(message.file.package.split(".")[1])
        return area + message.name if packages[message.name] > 1 else str(message.name)

    def _message(self, message: Any) -> Scalar:
        if message.full_name == TIMESTAMP:
            return _MOMENT
        if message.GetOptions().map_entry or not message.full_name.startswith("leaky."):
            raise UnsupportedError(f"{message.full_name}: no type for it yet")
        model = self.model(message)
        return Scalar(model.name, model.decoder, None)

    def _attribute(self, descriptor: Any) -> Attribute:
        annotation, decoder, default = self.scalar(descriptor)
        comment = self.comment(descriptor)
        read = f'data, "{descriptor.json_name}", {decoder}'
        if descriptor.is_repeated:
            annotation, decoding = f"tuple[{annotation}, ...]", f"decode.many({read})"
        elif _may_be_absent(descriptor, comment):
            annotation, decoding = f"{annotation} | None", f"decode.maybe({read})"
        elif default is None:
            decoding = f"decode.need({read})"
        else:
            decoding = f"decode.either({read}, {default})"
        return Attribute(
            name=descriptor.name,
            annotation=annotation,
            decoding=decoding,
            comment=comment,
            secret=self.rule(descriptor).secret,
        )


def _may_be_absent(descriptor: Any, comment: str) -> bool:
    if descriptor.message_type is not None:
        return UNSET.search(comment) is not None
    return bool(descriptor.has_presence)
