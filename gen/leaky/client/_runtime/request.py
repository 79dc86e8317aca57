"""One call before it is sent."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, TypeVar
from urllib.parse import quote, urlencode

T = TypeVar("T")
Value = str | bool | int | float | datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Generic[T]):
    """A call of one method. What it carries is not shown: it may hold secrets.

    `repeatable`: sending it twice does no more than sending it once.
    `body`: what is sent as JSON, None for no body.
    """

    name: str
    verb: str
    path: str
    repeatable: bool
    decode: Callable[[object], T] = field(repr=False)
    query: Mapping[str, Value] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    body: Mapping[str, object] | None = field(default=None, repr=False)

    def target(self) -> str:
        """Path and query."""
        query = {name: _text(value) for name, value in self.query.items() if value is not None}
        return f"{self.path}?{urlencode(query, quote_via=quote)}" if query else self.path

    def content(self) -> bytes | None:
        """The body as it is sent."""
        if self.body is None:
            return None
        return json.dumps(dict(self.body), allow_nan=False, separators=(",", ":")).encode()


def fields(**values: object) -> dict[str, object]:
    """A request message as JSON: what is None is left out."""
    return {
        name: rfc3339(value) if isinstance(value, datetime) else value
        for name, value in values.items()
        if value is not None
    }


def segment(name: str, value: str) -> str:
    """A path segment; ValueError for a text that would name another path."""
    if value in {"", ".", ".."}:
        raise ValueError(f"{name}: {value!r} cannot stand in a path")
    return quote(value, safe="")


def rfc3339(value: datetime) -> str:
    """A moment in UTC with `Z`; ValueError when it has no time zone."""
    if value.tzinfo is None:
        raise ValueError("a datetime needs a time zone")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return rfc3339(value) if isinstance(value, datetime) else str(value)
