"""How paths lead to routes, and which rules are refused at start-up."""

from typing import Any

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool

from leaky.edge.v1 import options_pb2
from mesh.edge.paths import Found, OtherVerbs, Paths, fields_of
from mesh.edge.routes import compile_routes
from mesh.rpc.method import methods_of

Field = descriptor_pb2.FieldDescriptorProto


def test_fixed_segments_win_and_fields_take_the_rest() -> None:
    paths: Paths[str] = Paths()
    paths.add("/a/{id}", "GET", "by id")
    paths.add("/a/self", "GET", "self")
    paths.add("/a/{id}", "DELETE", "delete")
    paths.add("/a/{id}/b/{other}", "GET", "both")
    assert paths.find("/a/self", "GET") == Found("self", ())
    assert paths.find("/a/x", "GET") == Found("by id", ("x",))
    # The fixed path has no such verb, the field's has.
    assert paths.find("/a/self", "DELETE") == Found("delete", ("self",))
    assert paths.find("/a/1/b/2", "GET") == Found("both", ("1", "2"))
    assert paths.find("/a/self/b/2", "GET") == Found("both", ("self", "2"))
    assert paths.find("/a/self", "PUT") == OtherVerbs(frozenset({"GET", "DELETE"}))
    assert paths.find("/a", "GET") is None
    assert paths.find("/a/", "GET") is None
    assert paths.find("", "GET") is None


def test_two_methods_must_not_claim_one_path() -> None:
    paths: Paths[str] = Paths()
    paths.add("/a/{id}", "GET", "one")
    with pytest.raises(ValueError, match="two methods"):
        paths.add("/a/{other}", "GET", "two")


@pytest.mark.parametrize(
    "template", ["/a/{b=**}", "/a/*", "/a/**", "/a:go", "/a/{b=x/*}", "/{b.c}"]
)
def test_templates_that_cannot_be_served_are_refused(template: str) -> None:
    with pytest.raises(ValueError, match="cannot serve"):
        fields_of(template)


def _method(name: str, http: dict[str, Any], *, access: Any = 1, streams: bool = False) -> Any:
    """A method of its own file: a text, a raw document, a nested message."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"leaky/test/{name}.proto", package=f"leaky.test.{name}", syntax="proto3"
    )
    request = file.message_type.add(name="Request")
    request.field.add(name="id", number=1, label=1, type=Field.TYPE_STRING)
    raw = request.field.add(name="raw", number=2, label=1, type=Field.TYPE_BYTES)
    raw.options.Extensions[options_pb2.field].raw_json = True
    inner = f".leaky.test.{name}.Request"
    request.field.add(name="inner", number=3, label=1, type=Field.TYPE_MESSAGE, type_name=inner)
    service = file.service.add(name="Service")
    method = service.method.add(
        name="Do", input_type=inner, output_type=inner, server_streaming=streams
    )
    method.options.Extensions[options_pb2.rule].access = access
    rule = method.options.Extensions[annotations_pb2.http]
    for key, value in http.items():
        setattr(rule, key, value)
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return methods_of(pool.FindServiceByName(f"leaky.test.{name}.Service"))[0]


def test_internal_methods_and_those_without_a_rule_are_never_served() -> None:
    internal = _method("internal", {"get": "/a"}, access=options_pb2.ACCESS_INTERNAL)
    none = _method("none", {"get": "/a"}, access=options_pb2.ACCESS_UNSPECIFIED)
    assert list(compile_routes([internal, none], {})) == []


@pytest.mark.parametrize(
    ("name", "http", "text"),
    [
        ("nested_path", {"get": "/a/{inner}"}, "as text"),
        ("inner_raw", {"post": "/a", "body": "*"}, "whole body"),
    ],
)
def test_rules_that_cannot_be_kept_are_refused(name: str, http: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        list(compile_routes([_method(name, http)], {}))


def test_streaming_methods_are_refused() -> None:
    with pytest.raises(TypeError, match="streams"):
        list(compile_routes([_method("streaming", {"get": "/a"}, streams=True)], {}))


def test_a_part_as_body_leaves_the_rest_to_the_query() -> None:
    (route,) = compile_routes([_method("part", {"post": "/a", "body": "inner"})], {})
    request: Any = route.fill((), b"id=x", {}, b'{"id":"y"}')
    assert (request.id, request.inner.id) == ("x", "y")


def test_additional_bindings_are_routes_too() -> None:
    file = descriptor_pb2.FileDescriptorProto(
        name="leaky/test/bindings.proto", package="leaky.test.bindings", syntax="proto3"
    )
    file.message_type.add(name="Request").field.add(
        name="id", number=1, label=1, type=Field.TYPE_STRING
    )
    done = file.service.add(name="Service").method.add(
        name="Do",
        input_type=".leaky.test.bindings.Request",
        output_type=".leaky.test.bindings.Request",
    )
    done.options.Extensions[options_pb2.rule].access = options_pb2.ACCESS_PUBLIC
    bound = done.options.Extensions[annotations_pb2.http]
    bound.get = "/b"
    bound.additional_bindings.add(get="/b/{id}")
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    found = methods_of(pool.FindServiceByName("leaky.test.bindings.Service"))
    assert [route.uri for route in compile_routes(found, {})] == ["/b", "/b/{id}"]
