"""A request message out of a path, a query, headers and a body."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from leaky.common.v1.reason_pb2 import REASON_INVALID_ARGUMENT
from mesh.edge.codec.documents import parse
from mesh.edge.codec.reading import MessageReader, field_reader, reachable, text_reader
from mesh.edge.codec.scalars import Read, is_raw
from mesh.edge.codec.wrong import Wrong, refused
from mesh.errors import AppError
from mesh.rpc.method import Method

_LONGEST_QUERY = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class TextField:
    """A field that is given as text: from the path, the query or a header."""

    name: str
    json_name: str
    read: Read
    repeated: bool

    def value(self, text: str) -> Any:
        """The value; Wrong, naming the field."""
        try:
            return self.read(text)
        except Wrong as wrong:
            raise wrong.at(self.json_name) from None


class Filling:
    """How one route fills its method's request.

    `path` are the template's fields in order; `body` is google.api.http's: a
    field, "*" for all that are not filled otherwise, or empty. Fields bound to a
    header come from that header only. Raises TypeError for a route that cannot be.
    """

    def __init__(self, method: Method[Any, Any], path: Sequence[str], body: str) -> None:
        self._kind: Any = method.request
        fields = self._kind.DESCRIPTOR.fields_by_name
        self.path = [_text_field(fields[name]) for name in path]
        self.headers = {
            header.header.lower(): _text_field(fields[header.field])
            for header in method.rule.request_headers
        }
        taken = {field.name for field in (*self.path, *self.headers.values())}
        self.body = body
        self.body_fields = _body_fields(self._kind.DESCRIPTOR, body, taken)
        self._document = MessageReader(self._kind, without=taken) if body == "*" else None
        self._part = field_reader(fields[body]) if body not in ("", "*") else None
        self._raw = self._part is not None and is_raw(fields[body])
        self.query = _query_fields(self._kind.DESCRIPTOR, body, taken)
        self._by_key = {key: field for field in self.query for key in (field.name, field.json_name)}

    def __call__(
        self, values: Sequence[str], query: bytes, headers: Mapping[str, str], body: bytes
    ) -> Message:
        """The request; AppError INVALID_ARGUMENT or MALFORMED_JSON."""
        try:
            given = self._from_body(body) if self.body else {}
            if query and self._by_key:
                self._from_query(query, given)
            for field, text in zip(self.path, values, strict=True):
                given[field.name] = field.value(text)
            for header, field in self.headers.items():
                if header in headers:
                    given[field.name] = field.value(headers[header])
        except Wrong as wrong:
            raise refused(wrong) from None
        request: Message = self._kind(**given)
        return request

    def _from_body(self, body: bytes) -> dict[str, Any]:
        if self._document is not None:
            return self._document.fields(parse(body, deep=self._document.recursive))
        document = parse(body)
        if document is None or self._part is None:
            raise Wrong("must not be null")
        return {self.body: bytes(body) if self._raw else self._part(document)}

    def _from_query(self, query: bytes, given: dict[str, Any]) -> None:
        for key, text in _pairs(query):
            field = self._by_key.get(key)
            if field is None:
                continue
            if field.repeated:
                given.setdefault(field.name, []).append(field.value(text))
            elif field.name in given:
                raise Wrong("is given more than once").at(field.json_name)
            else:
                given[field.name] = field.value(text)


def _pairs(query: bytes) -> list[tuple[str, str]]:
    if len(query) > _LONGEST_QUERY:
        raise AppError(REASON_INVALID_ARGUMENT, "the query is too long")
    try:
        text = query.decode()
        pairs = [pair.partition("=") for pair in text.split("&")]
        if "%" in text or "+" in text:
            return [(_plain(key), _plain(value)) for key, _, value in pairs]
        return [(key, value) for key, _, value in pairs]
    except UnicodeDecodeError:
        raise AppError(REASON_INVALID_ARGUMENT, "the query is not UTF-8") from None


def _plain(text: str) -> str:
    return unquote_plus(text, errors="strict")


def _text_field(field: FieldDescriptor) -> TextField:
    found = _as_text(field)
    if found is None:
        message = f"{field.full_name} cannot be given as text"
        raise TypeError(message)
    return found


def _as_text(field: FieldDescriptor) -> TextField | None:
    read = text_reader(field)
    if read is None:
        return None
    return TextField(
        name=field.name, json_name=field.json_name, read=read, repeated=bool(field.is_repeated)
    )


def _query_fields(kind: Any, body: str, taken: set[str]) -> list[TextField]:
    if body == "*":
        return []
    fields = [field for field in kind.fields if field.name not in {*taken, body}]
    return [found for found in map(_as_text, fields) if found]


def _body_fields(kind: Any, body: str, taken: set[str]) -> list[Any]:
    if body != "*":
        return [kind.fields_by_name[body]] if body else []
    fields = [field for field in kind.fields if field.name not in taken]
    inner = [inside for found in reachable(kind).values() for inside in found.fields]
    for field in (*fields, *inner):
        if is_raw(field):
            message = f"{field.full_name} is raw JSON: it must be the whole body"
            raise TypeError(message)
    return fields
