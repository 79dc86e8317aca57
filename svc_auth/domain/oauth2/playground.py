"""The client that `local` brings along, so that a first login needs no registration."""

from svc_auth.domain.oauth2.client import GrantType, OAuthClient
from svc_auth.domain.oauth2.scopes import SCOPES

# Known to everybody, as the data of `local` are; in `secure` there is no such client.
PLAYGROUND_SECRET = "leaky-secret"  # noqa: S105
PLAYGROUND = OAuthClient(
    id="leaky-client",
    name="Leaky playground",
    confidential=True,
    redirect_uris=("http://127.0.0.1:8400/callback", "http://localhost:8400/callback"),
    scopes=SCOPES,
    grant_types=tuple(GrantType),
    require_pkce=True,
    created_at=0,
    post_logout_redirect_uris=("http://127.0.0.1:8400/", "http://localhost:8400/"),
)
