"""What OAuth2 writes into the audit log, and what never gets there."""

from typing import Any

import pytest

from svc_auth.domain.audit import Action, AuditQuery
from svc_auth.stores import STORES
from tests.svc_auth.oauth2.conftest import Issuer
from tests.svc_auth.oauth2.driver import PASSWORD
from tests.svc_auth.oauth2.relying_party import RelyingParty

pytestmark = pytest.mark.anyio


async def _entries(issuer: Issuer) -> list[Any]:
    async with STORES.open(issuer.settings.store_url) as stores:
        lines = await stores.audit.lines(AuditQuery(), before=None, limit=1000)
    return [line.entry for line in lines]


async def test_every_step_is_in_the_audit_log_and_no_secret_is(
    issuer: Issuer, rp: RelyingParty
) -> None:
    first = await rp.flow(scope="openid offline_access")
    code = rp.told["code"]
    second = await rp.refresh(first)
    await rp.token(grant_type="refresh_token", refresh_token=first.body["refresh_token"])
    third = await rp.flow(scope="openid offline_access")
    basic = (rp.client.id, rp.client.secret)
    await rp.http.post("/oauth2/revoke", data={"token": third.access}, auth=basic)
    mine = f"/api/v1/auth/consents/{rp.client.id}"
    whose = {"userId": third.id_token["sub"]}
    withdrawn = await rp.http.delete(mine, params=whose)
    assert withdrawn.status_code == 204, withdrawn.text
    rotated = await rp.http.post(f"/api/v1/oauth2/clients/{rp.client.id}/secret", json={})
    assert rotated.status_code == 200, rotated.text
    removed = await rp.http.delete(f"/api/v1/oauth2/clients/{rp.client.id}")
    assert removed.status_code == 204, removed.text
    entries = await _entries(issuer)
    expected = {one for one in Action if one.startswith("OAUTH")}
    assert expected <= {entry.action for entry in entries}
    said = repr(entries)
    texts = [
        *(PASSWORD, code, rp.client.secret, rotated.json()["clientSecret"]),
        *(tokens.access for tokens in (first, second, third)),
        *(tokens.body["refresh_token"] for tokens in (first, second, third)),
    ]
    assert [text for text in texts if text in said] == []
