"""Which route a path and a verb lead to."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
_FIELD = re.compile(r"\{([a-z][a-z0-9_]*)(?:=\*)?\}")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """The route and the values of its template's fields, in their order."""

    route: T
    values: Sequence[str]


@dataclass(frozen=True, slots=True)
class OtherVerbs:
    """The path is known; these are its verbs."""

    allowed: frozenset[str]


@dataclass(slots=True)
class _Node(Generic[T]):
    fixed: dict[str, "_Node[T]"] = field(default_factory=dict)
    free: "_Node[T] | None" = None
    routes: dict[str, T] = field(default_factory=dict)


def fields_of(template: str) -> list[str | None]:
    """A template's segments: the field's name for a free one, None for a fixed one.

    Raises ValueError for anything but fixed segments, {field} and {field=*}.
    """
    names: list[str | None] = []
    for segment in _segments(template):
        match = _FIELD.fullmatch(segment)
        if match is None and re.search(r"[{}*:]", segment):
            message = f"{template}: cannot serve the segment {segment!r}"
            raise ValueError(message)
        names.append(match[1] if match else None)
    return names


def _segments(path: str) -> list[str]:
    return path.removeprefix("/").split("/")


class Paths(Generic[T]):
    """Routes by template and verb; a fixed segment wins over a field."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        self._whole: dict[str, Mapping[str, T]] = {}

    def add(self, template: str, verb: str, route: T) -> None:
        """Raises ValueError when the template and verb are taken or cannot be served."""
        node = self._root
        names = fields_of(template)
        for segment, name in zip(_segments(template), names, strict=True):
            node = _next(node, segment if name is None else None)
        if verb in node.routes:
            message = f"two methods claim {verb} {template}"
            raise ValueError(message)
        node.routes[verb] = route
        if not any(names):
            self._whole[template] = node.routes

    def find(self, path: str, verb: str) -> Found[T] | OtherVerbs | None:
        """By a path that has nothing left to decode."""
        routes = self._whole.get(path)
        if routes is not None and verb in routes:
            return Found(routes[verb], ())
        return self.find_segments(_segments(path), verb)

    def find_segments(self, segments: Sequence[str], verb: str) -> Found[T] | OtherVerbs | None:
        """By decoded segments, in which a slash is part of a value."""
        allowed: set[str] = set()
        for node, values in _walk(self._root, segments, ()):
            if verb in node.routes:
                return Found(node.routes[verb], values)
            allowed.update(node.routes)
        return OtherVerbs(frozenset(allowed)) if allowed else None


def _next(node: _Node[T], segment: str | None) -> _Node[T]:
    if segment is not None:
        return node.fixed.setdefault(segment, _Node())
    node.free = node.free or _Node()
    return node.free


def _walk(
    node: _Node[T], segments: Sequence[str], values: tuple[str, ...]
) -> Iterator[tuple[_Node[T], tuple[str, ...]]]:
    if not segments:
        yield node, values
        return
    first, rest = segments[0], segments[1:]
    if first in node.fixed:
        yield from _walk(node.fixed[first], rest, values)
    if node.free is not None and first:
        yield from _walk(node.free, rest, (*values, first))
