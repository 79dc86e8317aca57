"""Where the public keys are."""

from collections.abc import Callable

from fastapi import APIRouter, Response


def jwks_router(jwks: Callable[[], bytes], *, max_age: int) -> APIRouter:
    """GET /oauth2/jwks: the JWK set (RFC 7517) that clients verify tokens with.

    They may keep it for `max_age` seconds, in which no key begins to sign that
    is not in it.
    """
    router = APIRouter(tags=["oauth2"])
    cache = {"Cache-Control": f"public, max-age={max_age}"}

    @router.get("/oauth2/jwks", summary="The public keys that tokens are signed with")
    async def keys() -> Response:
        return Response(jwks(), media_type="application/json", headers=cache)

    return router
