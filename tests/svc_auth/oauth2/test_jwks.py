from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from svc_auth.oauth2.jwks import jwks_router

pytestmark = pytest.mark.anyio


async def test_the_keys_are_where_clients_look_for_them(keyring: Any) -> None:
    app = FastAPI()
    app.include_router(jwks_router(lambda: keyring.jwks, max_age=300))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://auth") as client:
        answer = await client.get("/oauth2/jwks")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.content == keyring.jwks
