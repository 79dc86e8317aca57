"""What the generator makes of a contract, and what it refuses to make anything of."""

from pathlib import Path

import pytest

from mesh.codegen import descriptors, protoc
from mesh.codegen.__main__ import ROOT
from mesh.codegen.sdk import package
from mesh.codegen.sdk.naming import camel, snake
from mesh.codegen.sdk.plan import Operation, UnsupportedError

HEAD = """
syntax = "proto3";
package leaky.test.v1;
import "google/api/annotations.proto";
import "google/protobuf/timestamp.proto";
import "leaky/common/v1/reason.proto";
import "leaky/edge/v1/options.proto";
service ThingService {
  // Does it.
  rpc DoThing(DoThingRequest) returns (DoThingResponse) {
    option (google.api.http) = { %s };
    option (leaky.edge.v1.rule) = { access: %s %s };
  }
}
message DoThingRequest { %s }
message DoThingResponse { string id = 1; Inner inner = 2; repeated Inner inners = 3; %s }
message Inner { string name = 1; }
"""
GET = 'get: "/things/{id}"'
POST = 'post: "/things/{id}" body: "*"'
ID = "string id = 1 [(leaky.edge.v1.field) = {required: true}];"


class Contract:
    """A proto folder with one service of its own beside our options."""

    def __init__(self, folder: Path, vendored: Path) -> None:
        self.folder = folder
        self.vendored = vendored
        for name in ("edge/v1/options.proto", "common/v1/reason.proto"):
            target = folder / "leaky" / name
            target.parent.mkdir(parents=True)
            target.write_bytes((ROOT / "proto" / "leaky" / name).read_bytes())

    def operation(
        self,
        http: str = GET,
        *,
        access: str = "ACCESS_PUBLIC",
        rule: str = "",
        request: str = ID,
        response: str = "",
    ) -> Operation:
        target = self.folder / "leaky" / "test" / "v1" / "thing_service.proto"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(HEAD % (http, access, rule, request, response))
        schema = descriptors.load(self.folder, self.vendored)
        [service] = package.plan(schema).services
        [operation] = service.operations
        assert (service.attribute, operation.name) == ("thing", "do_thing")
        return operation


@pytest.fixture(scope="module")
def vendored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("third-party")
    protoc.third_party(folder)
    return folder


@pytest.fixture
def contract(tmp_path: Path, vendored: Path) -> Contract:
    return Contract(tmp_path, vendored)


def test_path_variables_and_the_rest_as_query(contract: Contract) -> None:
    made = contract.operation(request=f"{ID} optional bool very_deep = 2;")
    assert made.path == '/things/{segment("id", id)}'
    assert (made.verb, made.query, made.body) == ("GET", {"veryDeep": "very_deep"}, None)
    assert [(part.name, part.annotation, part.required) for part in made.arguments] == [
        ("id", "str", True),
        ("very_deep", "bool", False),
    ]
    assert (made.returns, made.repeatable) == ("models.DoThingResponse", "False")


def test_a_body_of_one_field_leaves_the_rest_to_the_query(contract: Contract) -> None:
    document = "bytes doc = 2 [(leaky.edge.v1.field) = {raw_json: true}];"
    http = 'post: "/things/{id}" body: "doc"'
    made = contract.operation(http, request=f"{ID} {document} int32 n = 3;")
    assert (made.body, made.query) == ("doc", {"n": "n"})
    assert made.arguments[1].annotation == "Mapping[str, Any]"


@pytest.mark.parametrize(
    ("response_body", "returns", "decoding"),
    [
        ("id", "str", "decode.text"),
        ("inner", "models.Inner", "_decode.to_inner"),
        (
            "inners",
            "tuple[models.Inner, ...]",
            "lambda value: decode.listed(value, _decode.to_inner)",
        ),
    ],
)
def test_response_body_is_the_whole_answer(
    contract: Contract, response_body: str, returns: str, decoding: str
) -> None:
    made = contract.operation(f'{GET} response_body: "{response_body}"')
    assert (made.returns, made.decoding) == (returns, decoding)


def test_no_content_is_none(contract: Contract) -> None:
    assert contract.operation(rule="success_status: 204").returns == "None"


def test_an_idempotency_key_makes_a_call_repeatable(contract: Contract) -> None:
    made = contract.operation(
        'post: "/things/{id}" body: "*"',
        rule='request_headers: {header: "Idempotency-Key" field: "key"}',
        request=f"{ID} optional string key = 2; string other = 3;",
    )
    assert made.repeatable == "key is not None"
    assert (made.headers, made.body) == ({"Idempotency-Key": "key"}, "fields(other=other)")


@pytest.mark.parametrize("access", ["ACCESS_INTERNAL", "ACCESS_UNSPECIFIED"])
def test_what_the_edge_does_not_serve_is_left_out(contract: Contract, access: str) -> None:
    with pytest.raises(ValueError, match="not enough values"):
        contract.operation(access=access)


@pytest.mark.parametrize(
    ("http", "request_fields", "why"),
    [
        (GET, "string id = 1 [(leaky.edge.v1.field) = {secret: true}];", "secret"),
        (GET, f"{ID} string pw = 2 [(leaky.edge.v1.field) = {{secret: true}}];", "secret"),
        (GET, f"{ID} bytes raw = 2;", "raw_json"),
        (GET, f"{ID} Inner inner = 2;", "messages"),
        (GET, f"{ID} repeated string names = 2;", "list"),
        (POST, f"{ID} repeated Inner inners = 2;", "list"),
        (GET, f"{ID} string timeout = 2;", "argument"),
        (GET, f"{ID} string class = 2;", "argument"),
        ('get: "/things/{name}"', ID, "path"),
        ('get: "/things/{id=a/*}"', ID, "path"),
        ('custom: {kind: "HEAD" path: "/things"}', ID, "verb"),
    ],
)
def test_what_cannot_be_expressed_stops_the_generation(
    contract: Contract, http: str, request_fields: str, why: str
) -> None:
    with pytest.raises(UnsupportedError, match=f"leaky.test.v1.*{why}"):
        contract.operation(http, request=request_fields)


def test_maps_in_answers_stop_the_generation(contract: Contract) -> None:
    with pytest.raises(UnsupportedError, match="no type"):
        contract.operation(response="map<string, string> labels = 4;")


def test_names() -> None:
    assert snake("GetOrgQuota") == "get_org_quota"
    assert snake("ApiKey") == "api_key"
    assert snake("GetJWKSet") == "get_jwk_set"
    assert camel("RATE_LIMITED") == "RateLimited"
