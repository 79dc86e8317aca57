"""A response message as an HTTP status, headers and a body."""

from collections.abc import Mapping
from typing import Any

from mesh.edge.codec.scalars import is_raw
from mesh.edge.codec.writing import MessageWriter, Write, dump, field_writer
from mesh.rpc.method import Method

_NO_CONTENT = 204
Headers = list[tuple[bytes, bytes]]


class Answering:
    """How one route prints its method's response.

    `body` is google.api.http's response_body; `rename` maps prefixes of
    response header names, such as X-RateLimit to X-TokenBucket.
    """

    def __init__(self, method: Method[Any, Any], body: str, rename: Mapping[str, str]) -> None:
        self.response = method.response
        self.status = method.rule.success_status or 200
        kind: Any = method.response.DESCRIPTOR
        self.field = kind.fields_by_name[body] if body else None
        self._write = _field(self.field) if body else MessageWriter(kind).object
        self._raw = body if self.field is not None and is_raw(self.field) else ""
        self.headers = {
            _renamed(header.header, rename): kind.fields_by_name[header.field]
            for header in method.rule.response_headers
        }
        self._bound = [
            (name.lower().encode("latin-1"), field.name, field.has_presence)
            for name, field in self.headers.items()
        ]

    def body_of(self, message: Any) -> bytes:
        """The JSON; empty for a 204."""
        if self.status == _NO_CONTENT:
            return b""
        if self._raw:
            return getattr(message, self._raw) or b"{}"
        return dump(self._write(message))

    def headers_of(self, message: Any) -> Headers:
        """The headers that fields are bound to; an unset optional has none."""
        return [
            (name, printable(str(getattr(message, field))))
            for name, field, presence in self._bound
            if not presence or message.HasField(field)
        ]


def _field(field: Any) -> Write:
    name, write = field.name, field_writer(field)

    def one(message: Any) -> Any:
        if field.has_presence and not message.HasField(name):
            return None
        value = getattr(message, name)
        return write(value) if write else value

    return one


def _renamed(header: str, rename: Mapping[str, str]) -> str:
    for prefix, other in rename.items():
        if header.lower().startswith(prefix.lower()):
            return other + header[len(prefix) :]
    return header


def printable(text: str) -> bytes:
    """A header's value: what is no printable ASCII is left out, so that none can be injected."""
    if text.isascii() and text.isprintable():
        return text.encode()
    return bytes(code for code in text.encode("ascii", "ignore") if 32 <= code < 127)  # noqa: PLR2004 ASCII
