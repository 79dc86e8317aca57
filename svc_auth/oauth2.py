"""OAuth2's paths, outside the transcoder: for now where the public keys are."""

from fastapi import APIRouter, Response

CACHE = "public, max-age=300"


def jwks_router(jwks: bytes) -> APIRouter:
    """GET /oauth2/jwks: the JWK set (RFC 7517) that clients verify tokens with."""
    router = APIRouter(tags=["oauth2"])

    @router.get("/oauth2/jwks", summary="The public keys that tokens are signed with")
    async def keys() -> Response:
        return Response(jwks, media_type="application/json", headers={"Cache-Control": CACHE})

    return router
