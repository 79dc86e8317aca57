"""Every method and every way to ask for it, found by walking the descriptors."""

import importlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import httpx
from google.protobuf.descriptor import FieldDescriptor, ServiceDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

import leaky
from leaky.edge.v1 import options_pb2
from leaky.edge.v1.options_pb2 import ACCESS_PUBLIC, FORMAT_EMAIL, FORMAT_UUID
from leaky.mesh.v1.mux_service_pb2 import Call, Frame
from mesh.edge.routes import Route, compile_routes
from mesh.rpc.method import Method, methods_of
from mesh.rpc.mux import serving as mux
from svc_gateway.routing import service_of
from tests.e2e import shown
from tests.e2e.system import System

Headers = Mapping[str, str]
# Values by "Request.field" or "field"; a function is asked anew for each request.
Names = Mapping[str, Any]
# No header: whose certificate is shown on the connection, where it has one; else an operator's.
CERTIFICATE = "certificate"
EDGE, OWN, GRPC, MUX = "edge", "own", "grpc", "mux"
REST = (EDGE, OWN)
GRPC_SERVICES = ("auth", "token", "analytics", "stubs")
_HTTP_OF = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
}
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_SHORTEST = 8


def services() -> Iterator[ServiceDescriptor]:
    """Every service of ours."""
    # By files, as pkgutil sees nothing below namespace packages.
    for root in map(Path, leaky.__path__):
        for file in sorted(root.rglob("*_pb2.py")):
            name = ".".join((root.name, *file.relative_to(root).with_suffix("").parts))
            yield from importlib.import_module(name).DESCRIPTOR.services_by_name.values()


# But for the stream of calls, which is one of the ways to all others.
METHODS = tuple(
    method
    for service in services()
    if service.full_name != mux.SERVICE
    for method in methods_of(service)
)
EVERY_ROUTE = tuple(compile_routes(METHODS, {}))
# Of a method with several the last, which is beside the one that it is known by.
ROUTES: Mapping[str, Route] = {one.method.path: one for one in EVERY_ROUTE}
GUARDED = tuple(method for method in METHODS if method.rule.access != ACCESS_PUBLIC)


def doors(method: Method[Any, Any]) -> tuple[str, ...]:
    """How a method may be asked for."""
    over_rest = REST if method.path in ROUTES else ()
    return (*over_rest, GRPC) if method.streams else (*over_rest, GRPC, MUX)


def http_service(method: Method[Any, Any]) -> str:
    """Whose HTTP port a method is on; the doubles have one each."""
    service = service_of(method)
    return "stubs.openai" if service == "stubs" else service


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back; a gRPC code as the status that HTTP would give it."""

    status: int
    reason: str = ""
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        """The credential was not enough."""
        return self.status in (401, 403)


class Doors:
    """Asks one system by every way there is."""

    def __init__(self, system: System) -> None:
        self._system = system
        # A context for TLS costs 60 ms to make, and nobody here speaks TLS.
        self.http = httpx.Client(base_url=system.url(), timeout=20, verify=False)  # noqa: S501
        self._channels: dict[tuple[str, str], grpc.Channel] = {}

    def close(self) -> None:
        """Ends the connections."""
        self.http.close()
        for channel in self._channels.values():
            channel.close()

    def ask(self, door: str, request: Message, credential: Headers) -> Answer:
        """The answer to a request at a door."""
        method = method_of(request)
        if door == GRPC:
            return self._grpc(method, request, credential)
        if door == MUX:
            return self._mux(method, request, credential)
        return self.at(ROUTES[method.path], door, request, credential)

    def at(self, route: Route, door: str, request: Message, credential: Headers) -> Answer:
        """The answer on one of a method's routes."""
        service = "gateway" if door == EDGE else http_service(route.method)
        asked = rest(route, request)
        headers = {**asked.headers, **_sent(credential)}
        url = self._system.url(service) + asked.path
        response = self.http.request(
            asked.verb, url, params=asked.query, json=asked.document, headers=headers
        )
        body = response.json() if response.content else None
        reason = body.get("reason", "") if isinstance(body, dict) else ""
        status = response.status_code
        return Answer(status=status, reason=reason, body=body, headers=response.headers)

    def _channel(self, service: str, caller: str) -> grpc.Channel:
        if (service, caller) not in self._channels:
            self._channels[service, caller] = shown.channel(self._system, service, caller)
        return self._channels[service, caller]

    def _grpc(self, method: Method[Any, Any], request: Message, credential: Headers) -> Answer:
        channel = self._channel(service_of(method), credential.get(CERTIFICATE, "operator"))
        metadata = tuple(_sent(credential).items())
        parse, write = method.response.FromString, method.request.SerializeToString
        try:
            if method.streams:
                stream = channel.unary_stream(method.path, write, parse)
                call = stream(request, metadata=metadata, timeout=10)
                body = next(call)
                call.cancel()
            else:
                unary = channel.unary_unary(method.path, write, parse)
                body = unary(request, metadata=metadata, timeout=10)
        except grpc.RpcError as error:
            return _refusal(error)
        return Answer(status=200, body=body)

    def _mux(self, method: Method[Any, Any], request: Message, credential: Headers) -> Answer:
        channel = self._channel(service_of(method), credential.get(CERTIFICATE, "operator"))
        call = Call(
            id=1,
            method=method.path,
            payload=request.SerializeToString(),
            metadata=[text for pair in _sent(credential).items() for text in pair],
            timeout_micros=10_000_000,
        )
        stream: Any = channel.stream_stream(mux.OPEN)
        for data in stream(iter([Frame(calls=[call]).SerializeToString()]), timeout=10):
            for result in Frame.FromString(data).results:
                if result.HasField("status"):
                    code = _CODES[result.status.code]
                    return _refused(code, result.status, result.status.message)
                return Answer(status=200, body=method.response.FromString(result.payload))
        raise AssertionError("the stream ended without a result")


def _sent(credential: Headers) -> Headers:
    return {name: text for name, text in credential.items() if name != CERTIFICATE}


def _refusal(error: Any) -> Answer:
    return _refused(error.code(), rpc_status.from_call(error), error.details())


def _refused(code: grpc.StatusCode, status: Any, message: str) -> Answer:
    info = error_details_pb2.ErrorInfo()
    packed = [one for one in status.details if one.Is(info.DESCRIPTOR)] if status else []
    if packed:
        packed[0].Unpack(info)
    body = {"message": message}
    return Answer(status=_HTTP_OF.get(code, 500), reason=info.reason, body=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """A request message as HTTP has it; `document` is the JSON body, None for none."""

    verb: str
    path: str
    query: Mapping[str, Any]
    headers: Headers
    document: Any


def rest(route: Route, request: Message) -> Rest:
    """The message as its route takes it."""
    values = _json(request)
    fill, path = route.fill, route.uri
    for one in fill.path:
        path = path.replace(f"{{{one.json_name}}}", str(values.pop(one.json_name)))
    headers = {
        name: values.pop(one.json_name)
        for name, one in fill.headers.items()
        if one.json_name in values
    }
    document = None
    if fill.body == "*":
        document = values
    elif fill.body:
        document = {"prompt": "hello"}
    query = {} if document is not None else values
    return Rest(verb=route.verb, path=path, query=query, headers=headers, document=document)


def _json(request: Message) -> dict[str, Any]:
    values = MessageToDict(request)
    for given, value in request.ListFields():
        if type(value) is int:
            values[given.json_name] = value
    return values


def method_of(request: Message) -> Method[Any, Any]:
    """The method that takes it."""
    return next(one for one in METHODS if one.request.DESCRIPTOR is request.DESCRIPTOR)


def request_for(method: Method[Any, Any], names: Names) -> Message:
    """A good request: what is named, and what is required by the field rules."""
    request: Message = _message(method.request.DESCRIPTOR, method.request, names)
    return request


def _message(kind: Any, make: Callable[..., Any], names: Names) -> Any:
    given = {}
    for one in kind.fields:
        named = names.get(f"{kind.name}.{one.name}", names.get(one.name))
        if named is not None:
            given[one.name] = named() if callable(named) else named
        elif _needed(one):
            given[one.name] = sample(one)
    return make(**given)


def _needed(one: FieldDescriptor) -> bool:
    rule = one.GetOptions().Extensions[options_pb2.field]
    return bool(rule.required or (rule.HasField("min") and not rule.clamp))


def sample(one: FieldDescriptor) -> Any:
    """A value that the field's rule allows."""
    rule = one.GetOptions().Extensions[options_pb2.field]
    if rule.format == FORMAT_UUID:
        return str(uuid.uuid4())
    if rule.format == FORMAT_EMAIL:
        return f"{uuid.uuid4().hex}@example.com"
    if one.message_type and one.message_type.full_name == "google.protobuf.Timestamp":
        return datetime.now(UTC)
    if rule.raw_json:
        return b'{"prompt":"hello"}'
    if one.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return uuid.uuid4().hex[: rule.max_length or _SHORTEST]
    return max(1, int(rule.min))
