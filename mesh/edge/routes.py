"""Routes compiled from google.api.http and our own rule."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.api import annotations_pb2

from leaky.edge.v1.options_pb2 import ACCESS_INTERNAL, ACCESS_UNSPECIFIED
from mesh.edge.answering import Answering
from mesh.edge.filling import Filling
from mesh.edge.paths import fields_of
from mesh.rpc.method import Method


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One verb and path of one method.

    `template` is google.api.http's; `uri` is the same with JSON names, as it is
    documented and counted. `number` counts a method's routes, from 1.
    """

    method: Method[Any, Any]
    number: int
    verb: str
    template: str
    uri: str
    fill: Filling
    answer: Answering


def compile_routes(
    methods: Iterable[Method[Any, Any]], rename: Mapping[str, str]
) -> Iterator[Route]:
    """The routes of all methods that have an HTTP rule and may be served at an edge.

    Raises TypeError or ValueError for a rule that cannot be served.
    """
    for method in methods:
        if method.access not in (ACCESS_UNSPECIFIED, ACCESS_INTERNAL):
            for number, rule in enumerate(_http_rules(method), 1):
                yield _route(method, number, rule, rename)


def _http_rules(method: Method[Any, Any]) -> list[Any]:
    options: Any = method.descriptor.GetOptions()
    if not options.HasExtension(annotations_pb2.http):
        return []
    if method.streams:
        message = f"{method.path} streams; it cannot be transcoded"
        raise TypeError(message)
    rule = options.Extensions[annotations_pb2.http]
    return [rule, *rule.additional_bindings]


def _route(method: Method[Any, Any], number: int, rule: Any, rename: Mapping[str, str]) -> Route:
    pattern = rule.WhichOneof("pattern")
    if pattern not in ("get", "put", "post", "delete", "patch"):
        message = f"{method.path} has no plain verb"
        raise TypeError(message)
    template = getattr(rule, pattern)
    names = [name for name in fields_of(template) if name]
    fill = Filling(method, names, rule.body)
    return Route(
        method=method,
        number=number,
        verb=pattern.upper(),
        template=template,
        uri=_uri(template, fill),
        fill=fill,
        answer=Answering(method, rule.response_body, rename),
    )


def _uri(template: str, fill: Filling) -> str:
    names = iter(fill.path)
    return "/".join(
        segment if name is None else f"{{{next(names).json_name}}}"
        for segment, name in zip(template.split("/"), [None, *fields_of(template)], strict=True)
    )
