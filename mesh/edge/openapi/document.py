"""The OpenAPI 3.1 document of a set of routes."""

from collections.abc import Iterable
from typing import Any

from leaky.edge.v1.options_pb2 import ACCESS_PUBLIC
from mesh.edge.openapi.comments import comment_of, words
from mesh.edge.openapi.schemas import Schema, Schemas, is_required
from mesh.edge.routes import Route

_NO_CONTENT = 204
_ERROR: Schema = {
    "type": "object",
    "description": "What went wrong; `reason` is a stable word.",
    "required": ["message", "timestamp", "path", "status", "reason", "traceId"],
    "properties": {
        "message": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
        "path": {"type": "string"},
        "status": {"type": "integer"},
        "reason": {"type": "string"},
        "traceId": {"type": "string"},
        "retryAfterSeconds": {"type": "integer"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
_ERROR_REF = {"$ref": "#/components/schemas/Error"}
_UNAVAILABLE: Schema = {
    "type": "object",
    "description": "In place of a service that is away.",
    "required": ["service", "status", "message", "timestamp"],
    "properties": {
        "service": {"type": "string"},
        "status": {"type": "string", "enum": ["unavailable"]},
        "message": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
    },
}
_UNAVAILABLE_REF = {"$ref": "#/components/schemas/Unavailable"}
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
}


def document(
    title: str, version: str, routes: Iterable[Route], *, stands_in: bool = False
) -> dict[str, Any]:
    """Paths, parameters, bodies, answers and errors of the routes.

    With `stands_in` a 503 may have the body of what speaks for a service that is away.
    """
    schemas = Schemas()
    schemas.components["Error"] = _ERROR
    if stands_in:
        schemas.components["Unavailable"] = _UNAVAILABLE
    paths: dict[str, Any] = {}
    for route in routes:
        operation = _operation(route, schemas)
        if stands_in:
            operation["responses"]["503"] = _away()
        paths.setdefault(route.uri, {})[route.verb.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": _SECURITY},
    }


def _operation(route: Route, schemas: Schemas) -> dict[str, Any]:
    method = route.method
    name = method.path.removeprefix("/").replace("/", ".")
    comment = comment_of(name)
    service = method.service.rpartition(".")[2]
    public = method.access == ACCESS_PUBLIC
    operation: dict[str, Any] = {
        "operationId": f"{service}_{method.name}{_nth(route)}",
        "summary": words(method.name),
        "tags": [service],
        "security": [] if public else [{"bearer": []}, {"apiKey": []}],
        "parameters": _parameters(route, schemas),
        "responses": _responses(route, schemas, public=public),
    }
    if comment:
        operation["description"] = comment
    if route.fill.body:
        operation["requestBody"] = _body(route, schemas)
    return operation


def _nth(route: Route) -> str:
    # Ids are unique, and a method may have several routes.
    return "" if route.number == 1 else f"_{route.number}"


def _parameters(route: Route, schemas: Schemas) -> list[dict[str, Any]]:
    fields: Any = route.method.request.DESCRIPTOR.fields_by_name
    fill = route.fill
    headers = {header.header: header.field for header in route.method.rule.request_headers}
    named = [
        *(("path", field.json_name, fields[field.name]) for field in fill.path),
        *(("query", field.json_name, fields[field.name]) for field in fill.query),
        *(("header", header, fields[name]) for header, name in headers.items()),
    ]
    return [_parameter(place, name, field, schemas) for place, name, field in named]


def _parameter(place: str, name: str, field: Any, schemas: Schemas) -> dict[str, Any]:
    schema = schemas.field(field, reading=True)
    # Text has no null: what is not there is simply not given.
    if isinstance(schema.get("type"), list):
        schema["type"] = schema["type"][0]
    required = place == "path" or is_required(field)
    description = schema.pop("description", "")
    parameter = {"name": name, "in": place, "required": required, "schema": schema}
    return {**parameter, "description": description} if description else parameter


def _body(route: Route, schemas: Schemas) -> dict[str, Any]:
    fill = route.fill
    if fill.body == "*":
        schema = schemas.request(route.method.request.DESCRIPTOR, fill.body_fields)
    else:
        schema = schemas.field(fill.body_fields[0], reading=True)
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _responses(route: Route, schemas: Schemas, *, public: bool) -> dict[str, Any]:
    answer = route.answer
    schema = (
        schemas.field(answer.field, reading=False)
        if answer.field is not None
        else schemas.answer(answer.response.DESCRIPTOR)
    )
    success: dict[str, Any] = {"description": "Success"}
    if answer.status != _NO_CONTENT:
        success["content"] = {"application/json": {"schema": schema}}
    responses = {str(answer.status): success, "400": _error("Malformed or against a rule")}
    if not public:
        responses |= {"401": _error("No valid credential"), "403": _error("Not allowed")}
    if answer.headers:
        headers = {
            name: {"schema": schemas.field(field, reading=False)}
            for name, field in answer.headers.items()
        }
        success["headers"] = headers
        refused = {"schema": {"anyOf": [schema, _ERROR_REF]}}
        responses["429"] = {
            "description": "Refused for now",
            "headers": headers,
            "content": {"application/json": refused},
        }
    return {**responses, "default": _error("Any other error")}


def _away() -> dict[str, Any]:
    schema = {"anyOf": [_UNAVAILABLE_REF, _ERROR_REF]}
    content = {"application/json": {"schema": schema}}
    return {"description": "Away, or too much to do, for now", "content": content}


def _error(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _ERROR_REF}}}
