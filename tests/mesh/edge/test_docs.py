"""The OpenAPI documents, and a viewer that needs nobody else."""

import json
import re
from typing import Any

import pytest
from fastapi import APIRouter

from mesh.edge.openapi import comments

pytestmark = pytest.mark.anyio


@pytest.fixture
async def document(world: Any) -> Any:
    return (await world.send("GET", "/openapi.json")).json()


def _body(operation: Any) -> Any:
    return operation["requestBody"]["content"]["application/json"]["schema"]


def _resolved(document: Any, schema: Any) -> Any:
    return document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]


async def test_every_served_route_is_described_and_no_other(document: Any) -> None:
    paths = document["paths"]
    assert document["openapi"].startswith("3.1")
    assert set(paths["/api/v1/auth/api-keys"]) == {"get", "post", "delete"}
    assert "/api/v1/orgs/{orgId}/members/{userId}" in paths
    operations = [
        operation["operationId"] for path in paths.values() for operation in path.values()
    ]
    assert "CredentialService_ExchangeApiKey" not in operations
    assert len(operations) == len(set(operations))


async def test_field_rules_are_in_the_schema(document: Any) -> None:
    body = _resolved(document, _body(document["paths"]["/api/v1/tokens/consume"]["post"]))
    assert sorted(body["required"]) == ["provider", "tokens", "userId"]
    tokens = body["properties"]["tokens"]
    assert (tokens["type"], tokens["minimum"], tokens["maximum"]) == ("integer", 1, 10_000)
    assert body["properties"]["userId"]["format"] == "uuid"
    assert body["properties"]["provider"]["maxLength"] == 64
    assert body["properties"]["orgId"]["type"] == ["string", "null"]


async def test_a_bound_header_is_a_parameter_and_not_in_the_body(document: Any) -> None:
    operation = document["paths"]["/api/v1/tokens/purchase"]["post"]
    (header,) = operation["parameters"]
    assert (header["name"], header["in"], header["required"]) == (
        "Idempotency-Key",
        "header",
        False,
    )
    assert header["schema"]["maxLength"] == 100
    assert "idempotencyKey" not in _resolved(document, _body(operation))["properties"]
    assert "202" in operation["responses"]


async def test_query_parameters_have_bounds_and_defaults(document: Any) -> None:
    parameters = document["paths"]["/api/v1/analytics/usage"]["get"]["parameters"]
    by_name = {parameter["name"]: parameter for parameter in parameters}
    assert by_name["provider"]["required"] is True
    limit = by_name["limit"]["schema"]
    assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 200, 20)
    assert limit["type"] == "integer"


async def test_security_follows_the_access_rule(document: Any) -> None:
    paths = document["paths"]
    assert paths["/api/v1/tokens/status"]["get"]["security"] == []
    quota = paths["/api/v1/tokens/quota"]["get"]
    assert quota["security"] == [{"bearer": []}, {"apiKey": []}]
    assert {"401", "403", "default"} <= quota["responses"].keys()
    assert set(document["components"]["securitySchemes"]) == {"bearer", "apiKey"}


async def test_answers_are_described_as_they_are_printed(document: Any) -> None:
    keys = document["paths"]["/api/v1/auth/api-keys"]["get"]["responses"]["200"]
    schema = keys["content"]["application/json"]["schema"]
    assert schema["type"] == "array"
    key = _resolved(document, schema["items"])
    assert key["properties"]["expiresAt"]["type"] == ["string", "null"]
    assert "expiresAt" in key["required"]
    consume = document["paths"]["/api/v1/tokens/consume"]["post"]["responses"]["200"]
    assert "X-RateLimit-Limit" in consume["headers"]
    gone = document["paths"]["/api/v1/auth/api-keys"]["delete"]["responses"]["204"]
    assert "content" not in gone


async def test_every_reference_leads_somewhere(document: Any) -> None:
    names = re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document))
    assert names
    assert set(names) <= document["components"]["schemas"].keys()


async def test_comments_of_the_protos_describe(document: Any) -> None:
    operation = document["paths"]["/api/v1/tokens/quota"]["get"]
    assert operation["summary"] == "Get quota"
    assert operation["description"] == "A user's pool; never makes one."


async def test_works_without_comments(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comments, "_comments", dict)
    document = (await make_world().send("GET", "/openapi.json")).json()
    assert "description" not in document["paths"]["/api/v1/tokens/quota"]["get"]


async def test_a_router_s_routes_are_described_too(make_world: Any) -> None:
    router = APIRouter()

    @router.get("/own")
    async def own() -> dict[str, int]:
        return {}

    world = make_world(routers=(router,))
    document = (await world.send("GET", "/v3/api-docs")).json()
    assert "/own" in document["paths"]
    assert "/api/v1/tokens/status" in document["paths"]


async def test_what_stands_in_for_a_service_that_is_away_is_described(make_world: Any) -> None:
    plain = (await make_world().send("GET", "/openapi.json")).json()
    assert "503" not in plain["paths"]["/api/v1/tokens/quota"]["get"]["responses"]
    world = make_world(unavailable=lambda *_: {"service": "token-service"})
    document = (await world.send("GET", "/openapi.json")).json()
    away = document["paths"]["/api/v1/tokens/quota"]["get"]["responses"]["503"]
    refs = [one["$ref"] for one in away["content"]["application/json"]["schema"]["anyOf"]]
    assert refs == ["#/components/schemas/Unavailable", "#/components/schemas/Error"]
    assert document["components"]["schemas"]["Unavailable"]["properties"]["status"] == {
        "type": "string",
        "enum": ["unavailable"],
    }


async def test_the_viewer_gets_a_version_that_it_can_show(world: Any) -> None:
    document = (await world.send("GET", "/swagger-ui/openapi.json")).json()
    assert document["openapi"] == "3.0.3"
    text = json.dumps(document)
    assert '"null"' not in text
    body = _resolved(document, _body(document["paths"]["/api/v1/tokens/consume"]["post"]))
    assert body["properties"]["orgId"]["nullable"] is True


@pytest.mark.parametrize("path", ["/docs", "/swagger-ui/index.html"])
async def test_the_viewer_s_files_come_from_here(world: Any, path: str) -> None:
    page = await world.send("GET", path)
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "http" not in policy
    assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(assets) == 6
    for asset in assets:
        assert asset.startswith("/swagger-ui/")
        response = await world.send("GET", asset)
        assert response.status_code == 200
        assert response.content


async def test_the_viewer_starts_with_our_document_and_asks_no_other_site(world: Any) -> None:
    script = (await world.send("GET", "/swagger-ui/swagger-initializer.js")).text
    assert "/swagger-ui/openapi.json" in script
    assert "http" not in script


async def test_the_old_address_leads_to_the_viewer(world: Any) -> None:
    response = await world.send("GET", "/swagger-ui.html")
    assert response.status_code == 307
    assert response.headers["location"] == "/swagger-ui/index.html"


@pytest.mark.parametrize("name", ["swagger-ui.js.map", "index.j2", "..%2F__init__.py", "nothing"])
async def test_nothing_else_of_the_package_is_served(world: Any, name: str) -> None:
    assert (await world.send("GET", f"/swagger-ui/{name}")).status_code == 404
