"""JSON values as messages."""

from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from mesh.edge.codec import wellknown
from mesh.edge.codec.scalars import Read, finite, flag, scalar_reader
from mesh.edge.codec.wrong import Wrong

# Message types under compilation or compiled, so that a type may hold itself.
_Known = dict[str, "MessageReader"]


class MessageReader:
    """One message type out of a dictionary; unknown keys and nulls are passed over.

    `without` are fields that are filled from elsewhere and unknown here.
    """

    def __init__(
        self,
        kind: type[Message],
        known: _Known | None = None,
        without: Iterable[str] = (),
    ) -> None:
        descriptor: Any = kind.DESCRIPTOR
        self._kind = kind
        self.recursive = _recursive(descriptor)
        known = {} if known is None else known
        if not without:
            known[descriptor.full_name] = self
        taken = [field for field in descriptor.fields if field.name not in set(without)]
        self._fields: dict[str, tuple[str, Read, str]] = {}
        for field in taken:
            entry = (field.name, field_reader(field, known), field.json_name)
            # A JSON name wins over another field's proto name, as in json_format.
            self._fields[field.json_name] = entry
            self._fields.setdefault(field.name, entry)
        self._oneofs = [
            [field.name for field in oneof.fields]
            for oneof in descriptor.oneofs
            if len(oneof.fields) > 1
        ]

    def message(self, value: Any) -> Message:
        """The message; Wrong, with the path to what does not fit."""
        return self._kind(**self.fields(value))

    def fields(self, value: Any) -> dict[str, Any]:
        """The fields given, by their proto names, ready for the message's constructor."""
        if type(value) is not dict:
            raise Wrong("must be a JSON object")
        given: dict[str, Any] = {}
        known = self._fields
        key = ""
        try:
            for key, item in value.items():
                if item is not None and key in known:
                    name, read, _ = known[key]
                    given[name] = read(item)
        except Wrong as wrong:
            raise wrong.at(known[key][2]) from None
        for oneof in self._oneofs:
            if sum(name in given for name in oneof) > 1:
                raise Wrong(f"may hold only one of {', '.join(oneof)}")
        return given


def field_reader(field: FieldDescriptor, known: _Known | None = None) -> Read:
    """How a field's JSON value, other than null, is read."""
    known = {} if known is None else known
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _map(field.message_type, known)
    one = _one(field, known)
    return _list(one) if field.is_repeated else one


def text_reader(field: FieldDescriptor) -> Read | None:
    """How a value is read from a path, a query or a header; None: it cannot be.

    Numbers must be numbers: NaN and infinities, which JSON bodies may spell, are none here.
    """
    kind = field.message_type
    if kind is not None and wellknown.is_wrapper(kind):
        inner = text_reader(kind.fields_by_name["value"])
        box: Any = GetMessageClass(kind)
        return (lambda value: box(value=inner(value))) if inner else None
    if kind is not None:
        return wellknown.READERS.get(kind.full_name)
    if field.type in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
        read = scalar_reader(field)
        return lambda value: read(finite(value))
    return flag if field.type == FieldDescriptor.TYPE_BOOL else scalar_reader(field)


def _one(field: FieldDescriptor, known: _Known) -> Read:
    kind = field.message_type
    if kind is None:
        return scalar_reader(field)
    if kind.full_name in wellknown.UNSUPPORTED:
        message = f"{kind.full_name} has no place in a JSON body of ours"
        raise TypeError(message)
    if kind.full_name in wellknown.READERS:
        return wellknown.READERS[kind.full_name]
    if wellknown.is_wrapper(kind):
        return _boxed(GetMessageClass(kind), scalar_reader(kind.fields_by_name["value"]))
    reader = known.get(kind.full_name) or MessageReader(GetMessageClass(kind), known)
    return reader.message


def _boxed(kind: Any, read: Read) -> Read:
    return lambda value: kind(value=read(value))


def _list(one: Read) -> Read:
    def read(values: Any) -> list[Any]:
        if type(values) is not list:
            raise Wrong("must be an array")
        out: list[Any] = []
        try:
            for value in values:
                out.append(_element(one, value))  # noqa: PERF401 the length is the failing index
        except Wrong as wrong:
            raise wrong.at(f"[{len(out)}]") from None
        return out

    return read


def _element(one: Read, value: Any) -> Any:
    if value is None:
        raise Wrong("must not be null")
    return one(value)


def _map(entry: Descriptor, known: _Known) -> Read:
    key_of = _key(entry.fields_by_name["key"])
    one = _one(entry.fields_by_name["value"], known)

    def read(value: Any) -> dict[Any, Any]:
        if type(value) is not dict:
            raise Wrong("must be a JSON object")
        return {key_of(key): _element(one, item) for key, item in value.items()}

    return read


def _key(field: FieldDescriptor) -> Callable[[Any], Any]:
    return flag if field.type == FieldDescriptor.TYPE_BOOL else scalar_reader(field)


def _recursive(kind: Descriptor) -> bool:
    """Whether the type, or one inside it, may hold itself."""
    inside = reachable(kind)
    return any(
        name in reachable(inner) for name, inner in [(kind.full_name, kind), *inside.items()]
    )


def reachable(kind: Descriptor) -> dict[str, Descriptor]:
    """Every message type inside this one, at any depth, by its full name."""
    found: dict[str, Descriptor] = {}
    ahead = [kind]
    while ahead:
        for field in ahead.pop().fields:
            inner = field.message_type
            if inner is not None and inner.full_name not in found:
                found[inner.full_name] = inner
                ahead.append(inner)
    return found
