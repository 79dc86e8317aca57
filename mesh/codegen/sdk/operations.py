"""Methods with a REST face, as operations of the SDK."""

import keyword
import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor_pb2 import MethodOptions

from mesh.codegen.sdk.naming import snake
from mesh.codegen.sdk.plan import Argument, Operation, Service, UnsupportedError
from mesh.codegen.sdk.types import Types

_VARIABLE = re.compile(r"\{(\w+)\}")
_TAKEN = {"self", "timeout", "trace"}
_NO_CONTENT = 204
_VERBS = ("get", "put", "post", "delete", "patch")


def services(types: Types) -> Iterator[Service]:
    """The services that have at least one method at the edge."""
    for descriptor in types.schema.services():
        found = tuple(
            operation(types, method) for method in descriptor.methods if _public(types, method)
        )
        if found:
            yield Service(
                name=descriptor.name,
                attribute=snake(descriptor.name.removesuffix("Service")),
                comment=types.comment(descriptor),
                operations=found,
            )


def operation(types: Types, method: Any) -> Operation:
    """One method; UnsupportedError when its mapping is beyond what the SDK speaks."""
    http, rule = _http(types, method), _rule(types, method)
    verb = next((name for name in _VERBS if getattr(http, name)), None)
    if verb is None:
        raise UnsupportedError(f"{method.full_name}: no plain verb")
    route = getattr(http, verb)
    fields = {part.name: part for part in method.input_type.fields}
    headers = {bound.header: bound.field for bound in rule.request_headers}
    path = _path(method, route, fields)
    rest = [name for name in fields if name not in {*_VARIABLE.findall(route), *headers.values()}]
    query = {} if http.body == "*" else {fields[n].json_name: n for n in rest if n != http.body}
    _check_secrets(types, method, [fields[n] for n in (*_VARIABLE.findall(route), *query.values())])
    returns, decoding = _answer(types, method, http.response_body, rule.success_status)
    return Operation(
        name=snake(method.name),
        rpc=f"{method.containing_service.name}.{method.name}",
        comment=types.comment(method),
        verb=verb.upper(),
        route=route,
        path=path,
        arguments=tuple(
            _argument(types, part, in_body=http.body == "*" and part.name in rest)
            for part in fields.values()
        ),
        query=query,
        headers=headers,
        body=_body(http.body, fields, rest),
        repeatable=_repeatable(types, method, headers),
        returns=returns,
        decoding=decoding,
    )


def _public(types: Types, method: Any) -> bool:
    internal = types.schema.pool.FindEnumTypeByName("leaky.edge.v1.Access").values_by_name
    served = _rule(types, method).access not in {
        internal["ACCESS_UNSPECIFIED"].number,
        internal["ACCESS_INTERNAL"].number,
    }
    return served and bool(_http(types, method).ListFields())


def _http(types: Types, method: Any) -> Any:
    return types.schema.option(method, "MethodOptions", "google.api.http")


def _rule(types: Types, method: Any) -> Any:
    return types.schema.option(method, "MethodOptions", "leaky.edge.v1.rule")


def _path(method: Any, route: str, fields: dict[str, Any]) -> str:
    plain = _VARIABLE.sub("", route)
    if re.search(r"[{}*:]", plain) or not set(_VARIABLE.findall(route)) <= fields.keys():
        raise UnsupportedError(f"{method.full_name}: path {route}")
    return _VARIABLE.sub(lambda found: f'{{segment("{found[1]}", {found[1]})}}', route)


def _check_secrets(types: Types, method: Any, in_url: list[Any]) -> None:
    # URLs end up in logs, on both sides and in between.
    for part in in_url:
        if types.rule(part).secret:
            raise UnsupportedError(f"{method.full_name}: the secret {part.name} is in the URL")


def _argument(types: Types, descriptor: Any, *, in_body: bool) -> Argument:
    name, rule = descriptor.name, types.rule(descriptor)
    if keyword.iskeyword(name) or name in _TAKEN:
        raise UnsupportedError(f"{descriptor.full_name}: not an argument")
    annotation, _, default = types.scalar(descriptor)
    if descriptor.is_repeated:
        annotation = _listed(descriptor, annotation, in_body=in_body)
    elif default == "{}":
        annotation = "Mapping[str, Any]"
    elif annotation not in {"str", "int", "float", "bool", "datetime"}:
        raise UnsupportedError(f"{descriptor.full_name}: messages inside a request")
    return Argument(
        name=name,
        json=descriptor.json_name,
        annotation=annotation,
        required=rule.required,
        comment=types.comment(descriptor),
    )


def _listed(descriptor: Any, annotation: str, *, in_body: bool) -> str:
    if annotation != "str" or not in_body:
        raise UnsupportedError(f"{descriptor.full_name}: a list that is no argument")
    # Not a Sequence: a lone text would be one.
    return "list[str] | tuple[str, ...]"


def _body(body: str, fields: dict[str, Any], rest: list[str]) -> str | None:
    if body == "*":
        return "fields(" + ", ".join(f"{fields[name].json_name}={name}" for name in rest) + ")"
    return body or None


def _repeatable(types: Types, method: Any, headers: dict[str, str]) -> str:
    level = types.schema.options(method, "MethodOptions").idempotency_level
    if level != MethodOptions.IDEMPOTENCY_UNKNOWN:
        return "True"
    key = headers.get("Idempotency-Key")
    return f"{key} is not None" if key else "False"


def _answer(types: Types, method: Any, response_body: str, status: int) -> tuple[str, str]:
    """The type that a method returns and the expression that decodes it."""
    response = method.output_type
    if status == _NO_CONTENT or not response.fields:
        return "None", "decode.nothing"
    if not response_body:
        model = types.model(response)
        return f"models.{model.name}", f"_decode.{model.decoder}"
    part = response.fields_by_name[response_body]
    annotation, decoder, _ = types.scalar(part)
    if part.message_type is not None and not decoder.startswith("decode."):
        annotation, decoder = f"models.{annotation}", f"_decode.{decoder}"
    if not part.is_repeated:
        return annotation, decoder
    return f"tuple[{annotation}, ...]", f"lambda value: decode.listed(value, {decoder})"
