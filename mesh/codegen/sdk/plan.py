"""What the SDK consists of, before it becomes text."""

from dataclasses import dataclass


class UnsupportedError(Exception):
    """A contract that the SDK cannot express; generation stops and says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One field of a model; `decoding` is the expression that reads it from `data`."""

    name: str
    annotation: str
    decoding: str
    comment: str
    secret: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One response message as a dataclass."""

    name: str
    decoder: str
    comment: str
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One request field as a keyword-only argument; `json` is its name on the wire."""

    name: str
    json: str
    annotation: str
    required: bool
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method. `path` holds f-string expressions; `body` is an expression too.

    `query` maps JSON names and `headers` header names to argument names.
    """

    name: str
    rpc: str
    comment: str
    verb: str
    route: str
    path: str
    arguments: tuple[Argument, ...]
    query: dict[str, str]
    headers: dict[str, str]
    body: str | None
    repeatable: str
    returns: str
    decoding: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The methods of one proto service; `attribute` is its name on the client."""

    name: str
    attribute: str
    comment: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One error reason and the class made for it."""

    name: str
    class_name: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole SDK."""

    models: tuple[Model, ...]
    services: tuple[Service, ...]
    reasons: tuple[Reason, ...]
