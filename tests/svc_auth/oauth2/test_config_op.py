"""OpenID's Config OP test plan (oidcc-config-certification-test-plan): its one module."""

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from authlib.oidc.discovery import OpenIDProviderMetadata
from joserfc.jwk import KeySet

from svc_auth.oauth2.discovery import PATHS
from tests.svc_auth.oauth2.conftest import Issuer
from tests.svc_auth.oauth2.driver import ISSUER

pytestmark = pytest.mark.anyio


async def test_oidcc_discovery_endpoint_verification(http: httpx.AsyncClient) -> None:
    response = await http.get("/.well-known/openid-configuration")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    found: dict[str, Any] = response.json()
    OpenIDProviderMetadata(found).validate()
    assert found["issuer"] == ISSUER
    assert "code" in found["response_types_supported"]
    assert found["subject_types_supported"] == ["public"]
    assert "RS256" in found["id_token_signing_alg_values_supported"]
    assert found["grant_types_supported"]
    assert "openid" in found["scopes_supported"]
    assert found["claims_supported"]
    assert found["code_challenge_methods_supported"] == ["S256"]
    endpoints = [value for name, value in found.items() if name.endswith(("_endpoint", "_uri"))]
    assert all(urlsplit(one).scheme == "https" for one in endpoints)
    jwks = (await http.get(found["jwks_uri"])).json()
    assert len(KeySet.import_key_set(jwks).keys) == 2
    kids = [key["kid"] for key in jwks["keys"]]
    assert len(set(kids)) == len(kids)
    assert all(not {"d", "p", "q", "k"} & set(key) for key in jwks["keys"])


async def test_both_places_have_the_same_document(http: httpx.AsyncClient) -> None:
    one, other = [(await http.get(path)).json() for path in PATHS]
    assert one == other


async def test_every_endpoint_in_the_document_is_there_and_no_other(
    http: httpx.AsyncClient, issuer: Issuer
) -> None:
    found = (await http.get(PATHS[0])).json()
    listed = {
        urlsplit(value).path
        for name, value in found.items()
        if name.endswith(("_endpoint", "jwks_uri"))
    }
    paths = issuer.app.openapi()["paths"]
    served = {path for path in paths if path.startswith(("/oauth2/", "/userinfo"))}
    # These forms belong to the pages of the endpoints for authorization and logout.
    assert served - {"/oauth2/login", "/oauth2/consent", "/oauth2/logout/confirm"} == listed
