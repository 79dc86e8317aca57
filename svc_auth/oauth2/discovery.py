"""What there is (OpenID Connect Discovery, and RFC 8414): exactly that, and nothing else."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Response
from starlette.responses import JSONResponse

from svc_auth.domain.oauth2.client import GrantType
from svc_auth.domain.oauth2.request import Prompt, ResponseMode
from svc_auth.domain.oauth2.scopes import SCOPES
from svc_auth.domain.oauth2.userinfo import CLAIMS

PATHS = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")
_WITH_SECRET = ["client_secret_basic", "client_secret_post"]
_ID_TOKEN = ("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "azp")


def metadata(issuer: str) -> dict[str, Any]:
    """The document; its endpoints are below the issuer."""
    told = [name for names in CLAIMS.values() for name in names]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth2/authorize",
        "token_endpoint": f"{issuer}/oauth2/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/oauth2/jwks",
        "introspection_endpoint": f"{issuer}/oauth2/introspect",
        "revocation_endpoint": f"{issuer}/oauth2/revoke",
        "end_session_endpoint": f"{issuer}/oauth2/logout",
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": list(ResponseMode),
        "grant_types_supported": list(GrantType),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": [*_WITH_SECRET, "none"],
        "introspection_endpoint_auth_methods_supported": _WITH_SECRET,
        "revocation_endpoint_auth_methods_supported": [*_WITH_SECRET, "none"],
        "code_challenge_methods_supported": ["S256"],
        "claim_types_supported": ["normal"],
        "claims_supported": [*_ID_TOKEN, *told],
        "prompt_values_supported": list(Prompt),
        "ui_locales_supported": ["en"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "authorization_response_iss_parameter_supported": True,
    }


def discovery_router(issuer: Callable[[], str]) -> APIRouter:
    """The document at both of its places."""
    router = APIRouter(tags=["oauth2"])

    async def document() -> Response:
        cache = {"Cache-Control": "public, max-age=300"}
        return JSONResponse(metadata(issuer()), headers=cache)

    for path in PATHS:
        router.add_api_route(path, document, methods=["GET"], summary="What there is of OAuth2")
    return router
