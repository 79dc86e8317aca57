"""Whatever is sent, what comes back is a documented answer and never a 500."""

import socket
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import grpc
import httpx
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from leaky.edge.v1.options_pb2 import ACCESS_PUBLIC
from mesh.edge.routes import Route
from svc_gateway.routing import service_of
from tests.e2e.matrix import EDGE, EVERY_ROUTE, METHODS, OWN, http_service, request_for, rest
from tests.e2e.shape import error_of, fields_at_fault
from tests.e2e.system import System
from tests.e2e.wrong_values import in_json, in_path, in_text, rule_of

pytestmark = pytest.mark.e2e
NAMES: dict[str, Any] = {
    "provider": "openai",
    "user_id": str(uuid.uuid4()),
    "password": "trombone lantern 7",
    "role": "BILLING",
    "CreateOauthClientRequest.scopes": ["openid"],
    "CreateOauthClientRequest.redirect_uris": ["https://app.example/callback"],
    "CreateOauthClientRequest.post_logout_redirect_uris": ["https://app.example/"],
}
WITH_BODY = [route for route in EVERY_ROUTE if route.fill.body]
HTTP = ("gateway", "auth", "token", "analytics", "stubs.openai", "stubs.gemini", "stubs.qwen")
BIG = 2 * 1024 * 1024
JSON = {"content-type": "application/json"}
NOT_OBJECTS = {
    "empty": b"",
    "blank": b"  \n",
    "cut off": b'{"userId": "',
    "half a word": b"nul",
    "single quotes": b"{'a': 1}",
    "a comma too many": b'{"a": 1,}',
    "two documents": b"{}{}",
    "array": b"[]",
    "array of objects": b"[{}]",
    "string": b'"text"',
    "number": b"1",
    "true": b"true",
    "null": b"null",
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "a NUL": b"\0",
    "a raw control character": b'{"a": "\n"}',
    "invalid UTF-8": b'{"a": "\xff"}',
    "a surrogate in UTF-8": b'{"a": "\xed\xa0\x80"}',
    "half a surrogate pair": b'{"a": "\\ud800"}',
    "halves the wrong way round": b'{"a": "\\udc00\\ud800"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "deep arrays": b"[" * 200_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "closed deep arrays": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "form": b"userId=1&provider=openai",
}
NOT_PROMPTS: tuple[Any, ...] = (1, None, [], {"a": 1}, True)
NOT_JSON_TYPES = (
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/xml",
    "application/json; charset=utf-16",
    "json",
    "",
)


def routes(chosen: Any) -> list[Any]:
    return [
        pytest.param(route, door, id=f"{route.method.name}-{door}")
        for route in chosen
        for door in (EDGE, OWN)
    ]


every_route = pytest.mark.parametrize(("route", "door"), routes(EVERY_ROUTE))
every_body = pytest.mark.parametrize(("route", "door"), routes(WITH_BODY))


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=20) as client:
        yield client


class Asking:
    """A good request of a route, to be spoilt."""

    def __init__(self, http: httpx.Client, system: System, route: Route, door: str) -> None:
        self._http = http
        service = "gateway" if door == EDGE else http_service(route.method)
        self.root, self.route = system.url(service), route
        self._request: Any = request_for(route.method, NAMES)
        asked = rest(route, self._request)
        self.path, self.query, self.document = asked.path, dict(asked.query), asked.document

    def send(self, **changed: Any) -> httpx.Response:
        given = {"params": self.query, "json": self.document} | changed
        path = self.root + given.pop("path", self.path)
        return self._http.request(self.route.verb, path, **given)

    def path_with(self, name: str, text: str) -> str:
        """The path with another text for one of its fields."""
        path = self.route.uri
        for one in self.route.fill.path:
            value = text if one.name == name else getattr(self._request, one.name)
            path = path.replace(f"{{{one.json_name}}}", quote(value, safe=""))
        return path


@every_body
def test_a_body_that_is_no_json_object(
    http: httpx.Client, local: System, route: Route, door: str
) -> None:
    asking = Asking(http, local, route, door)
    for name, body in NOT_OBJECTS.items():
        answer = asking.send(json=None, content=body, headers=JSON)
        reason = error_of(answer, 400)["reason"]
        assert reason in {"MALFORMED_JSON", "INVALID_ARGUMENT"}, name


@every_body
def test_a_body_that_is_not_said_to_be_json(
    http: httpx.Client, local: System, route: Route, door: str
) -> None:
    asking = Asking(http, local, route, door)
    for kind in NOT_JSON_TYPES:
        answer = asking.send(json=None, content=b"{}", headers={"content-type": kind})
        assert error_of(answer, 415)["reason"] == "UNSUPPORTED_MEDIA_TYPE", kind
    zipped = asking.send(json=None, content=b"{}", headers={**JSON, "content-encoding": "gzip"})
    error_of(zipped, 415)


@every_body
def test_a_body_of_two_mebibytes(
    http: httpx.Client, local: System, route: Route, door: str
) -> None:
    asking = Asking(http, local, route, door)
    padded = b'{"a": "' + b"x" * BIG + b'"}'
    pieces = [padded[start : start + 65536] for start in range(0, len(padded), 65536)]
    for content in (padded, iter(pieces)):
        answer = asking.send(json=None, content=content, headers=JSON)
        assert error_of(answer, 413)["reason"] == "BODY_TOO_LARGE"


@every_body
def test_every_field_of_every_body_with_every_wrong_value(
    http: httpx.Client, local: System, route: Route, door: str
) -> None:
    asking = Asking(http, local, route, door)
    if route.fill.body != "*":
        for prompt in NOT_PROMPTS:
            error_of(asking.send(json={"prompt": prompt}), 400)
        return
    for field in route.fill.body_fields:
        for wrong in in_json(field):
            answer = asking.send(json={**asking.document, field.json_name: wrong})
            # Of a list it may be an item: scopes[0].
            named = {one.partition("[")[0] for one in fields_at_fault(error_of(answer, 400))}
            assert field.json_name in named, (field.name, wrong)


@every_body
def test_every_required_field_left_out(
    http: httpx.Client, local: System, route: Route, door: str
) -> None:
    asking = Asking(http, local, route, door)
    required = {one.json_name for one in route.fill.body_fields if rule_of(one).required}
    if not required and route.fill.body == "*":
        assert asking.send(json={}).status_code != 400
        return
    assert fields_at_fault(error_of(asking.send(json={}), 400)) == required
    for name in required if route.fill.body == "*" else ():
        rest_of_it = {key: value for key, value in asking.document.items() if key != name}
        assert fields_at_fault(error_of(asking.send(json=rest_of_it), 400)) == {name}


@every_route
def test_every_query_parameter_and_path_segment_with_every_wrong_value(
    http: httpx.Client, local: System, route: Route, door: str
) -> None:
    asking = Asking(http, local, route, door)
    fields: Any = route.method.request.DESCRIPTOR.fields_by_name
    for given in route.fill.query:
        for wrong in in_text(fields[given.name]):
            answer = asking.send(params={**asking.query, given.json_name: wrong})
            assert given.json_name in fields_at_fault(error_of(answer, 400)), (given, wrong)
        twice = [*asking.query.items(), *[(given.json_name, "1")] * 2]
        assert given.json_name in fields_at_fault(error_of(asking.send(params=twice), 400))
    for given in route.fill.path:
        for wrong in in_path(fields[given.name]):
            answer = asking.send(path=asking.path_with(given.name, wrong))
            assert answer.status_code in (400, 404), (given, wrong)
            error_of(answer, answer.status_code)


@every_route
def test_queries_that_are_no_queries(
    http: httpx.Client, local: System, route: Route, door: str
) -> None:
    asking = Asking(http, local, route, door)
    for query in ("%ff=%ff", "provider=%ff", "&&&==&", "a" * 20_000, "x=%00", "%", "userId=%u1234"):
        answer = asking.send(path=f"{asking.path}?{query}", params=None)
        assert answer.status_code < 500, query
        if answer.status_code >= 400:
            error_of(answer, answer.status_code)


@every_route
def test_every_other_method_is_refused_with_those_that_are_allowed(
    http: httpx.Client, local: System, route: Route, door: str
) -> None:
    asking = Asking(http, local, route, door)
    same = {one.verb for one in EVERY_ROUTE if one.uri == route.uri}
    allowed = same | {"OPTIONS"} | ({"HEAD"} if "GET" in same else set())
    for verb in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} - allowed:
        answer = http.request(verb, asking.root + asking.path)
        assert error_of(answer, 405)["reason"] == "METHOD_NOT_ALLOWED"
        assert set(answer.headers["allow"].split(", ")) == allowed
    options = http.options(asking.root + asking.path)
    assert (options.status_code, set(options.headers["allow"].split(", "))) == (204, allowed)


@every_route
def test_a_bad_credential_is_told_also_where_none_is_needed(
    http: httpx.Client, local: System, route: Route, door: str
) -> None:
    if route.method.rule.access == ACCESS_PUBLIC:
        return
    asking = Asking(http, local, route, door)
    unknown = f"leaky_{uuid.uuid4()}_{'A' * 43}"
    for credential in (
        {"authorization": "Bearer a.b.c"},
        {"authorization": "Bearer"},
        {"authorization": "Basic dTpw"},
        {"authorization": "Bearer " + "x" * 20_000},
        {"authorization": b"Bearer \xff\xfe"},
        {"x-api-key": unknown},
        {"x-api-key": ""},
        {"x-api-key": b"\xff"},
    ):
        error_of(asking.send(headers=credential), 401)


@pytest.mark.parametrize("service", HTTP)
def test_paths_that_nobody_serves(http: httpx.Client, local: System, service: str) -> None:
    for path in (
        "/",
        "/nope",
        "/api",
        "/api/v1",
        "/api/v2/tokens/status",
        "/api/v1/tokens/status/",
        "/api/v1/tokens/status/x",
        "/api/v1/tokens//status",
        "//api/v1/tokens/status",
        "/API/V1/tokens/status",
        "/api/v1/tokens/%2e%2e/status",
        "/%00",
        "/%ff",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/swagger-ui/%2e%2e%2fMETADATA",
        "/actuator",
        "/actuator/env",
        "/actuator/heapdump",
        "/leaky.auth.v1.CredentialService/ExchangeApiKey",
        "/" + "x" * 60_000,
    ):
        for verb in ("GET", "POST"):
            answer = http.request(verb, local.url(service) + path)
            assert error_of(answer, 404)["reason"] == "PATH_NOT_FOUND"
    error_of(http.get(f"{local.url(service)}/swagger-ui/nope.js"), 404)


@pytest.mark.parametrize("service", ["gateway", "token"])
def test_a_provider_that_is_none(http: httpx.Client, local: System, service: str) -> None:
    root, user = f"{local.url(service)}/api/v1", str(uuid.uuid4())
    order = {"userId": user, "provider": "nope", "tokens": 1}
    for answer in (
        http.post(f"{root}/tokens/consume", json=order),
        http.post(f"{root}/tokens/purchase", json=order),
        http.get(f"{root}/tokens/quota", params={"userId": user, "provider": "nope"}),
        http.get(f"{root}/rate-limits/{user}", params={"provider": "nope"}),
    ):
        assert error_of(answer, 400)["reason"] == "UNKNOWN_PROVIDER"
    assert error_of(http.get(f"{root}/providers/nope/quota"), 404)["reason"] == "PROVIDER_NOT_FOUND"


@pytest.mark.parametrize("service", ["gateway", "token"])
def test_idempotency_keys_that_are_none(http: httpx.Client, local: System, service: str) -> None:
    url = f"{local.url(service)}/api/v1/tokens/purchase"
    order = {"userId": str(uuid.uuid4()), "provider": "openai", "tokens": 1}
    for key in ("k" * 150, "k" * 101, ""):
        answer = http.post(url, json=order, headers={"Idempotency-Key": key})
        assert fields_at_fault(error_of(answer, 400)) == {"idempotencyKey"}
    odd = http.post(url, json=order, headers={b"Idempotency-Key": b"\xff\xfe"})
    assert odd.status_code in (202, 400)
    assert http.post(url, json=order, headers={"Idempotency-Key": "k" * 100}).status_code == 202
    other = http.post(url, json={**order, "tokens": 2}, headers={"Idempotency-Key": "k" * 100})
    assert error_of(other, 409)["reason"] == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.parametrize("service", ["gateway", "auth"])
def test_a_second_registration_says_what_is_taken(
    http: httpx.Client, local: System, service: str
) -> None:
    url, name = f"{local.url(service)}/api/v1/auth/register", uuid.uuid4().hex[:16]
    first = {"username": name, "email": f"{name}@example.com", "password": NAMES["password"]}
    assert http.post(url, json=first).status_code == 201
    same_name = http.post(url, json={**first, "email": f"{name}@example.org"})
    body = error_of(same_name, 400)
    assert (body["reason"], fields_at_fault(body)) == ("USERNAME_TAKEN", {"username"})
    body = error_of(http.post(url, json={**first, "username": f"{name}x"}), 400)
    assert (body["reason"], fields_at_fault(body)) == ("EMAIL_TAKEN", {"email"})
    login = {"username": name, "password": "wrong"}
    refused = http.post(url.replace("register", "login"), json=login)
    assert error_of(refused, 401)["reason"] == "BAD_CREDENTIALS"
    nobody = http.post(url.replace("register", "login"), json={**login, "username": "nobody"})
    assert error_of(nobody, 401)["message"] == error_of(refused, 401)["message"]


LOGIN = b"POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"
GARBAGE = (
    b"garbage\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /\0 HTTP/1.1\r\nhost: x\r\n\r\n",
    b"BREW /api/v1/tokens/status HTTP/1.1\r\nhost: x\r\n\r\n",
    LOGIN + b"content-length: -1\r\n\r\n",
    LOGIN + b"content-length: 1\r\ncontent-length: 2\r\n\r\n{}",
    LOGIN + b"content-length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
    LOGIN + CHUNKED + b"\r\nzz\r\n\r\n",
)
ENDLESS = b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize("service", HTTP)
def test_what_is_no_http_is_refused_and_harms_nobody(
    http: httpx.Client, local: System, service: str
) -> None:
    before = local.pids()
    port = local.ports[f"{service}.http-port"]
    for garbage, status in (*((each, 400) for each in GARBAGE), (ENDLESS, 431)):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
            raw.sendall(garbage)
            answer = raw.recv(65536)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), garbage[:60]
        assert b"Traceback" not in answer
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
        raw.sendall(LOGIN + b"content-length: 9\r\n\r\n{")
    assert http.get(f"{local.url(service)}/actuator/health").status_code == 200
    assert local.pids() == before


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_bytes_that_are_no_message_are_an_invalid_argument_over_grpc(
    local: System, method: Any
) -> None:
    first = method.request.DESCRIPTOR.fields_by_number.get(1)
    no_utf8 = [b"\x0a\x02\xff\xfe"] if first and first.type == FieldDescriptor.TYPE_STRING else []
    with grpc.insecure_channel(local.target(service_of(method))) as channel:
        for body in (b"\xff\xff\xff", b"\x0a\xff", b"\x0a\x05ab", *no_utf8):
            # A stream's client fails in the same way, at its first message.
            kind: Any = channel.unary_stream if method.streams else channel.unary_unary
            with pytest.raises(grpc.RpcError) as refused:
                list(kind(method.path)(body, timeout=10))
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            info = error_details_pb2.ErrorInfo()
            assert rpc_status.from_call(refused.value).details[0].Unpack(info)
            assert info.reason == "INVALID_ARGUMENT"


def test_none_of_it_surprised_a_service(local: System) -> None:
    """What was asked above is in the log of the system that all of it was sent to."""
    said = local.log()
    assert "unexpected error" not in said
    assert "Traceback" not in said
    assert NAMES["password"] not in said
