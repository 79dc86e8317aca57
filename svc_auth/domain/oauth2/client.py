"""Applications that may ask for tokens. Times are microseconds since the epoch."""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from svc_auth.domain.claims import API_AUDIENCE, MESH_AUDIENCE
from svc_auth.domain.oauth2.scopes import OFFLINE_ACCESS, PERSONAL, SCOPES
from svc_auth.domain.text import name_problem

# No UUID fits: a client's id, as the `sub` of its own tokens, is never a user's (RFC 9068, 5).
_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ID_LENGTH = range(3, 65)
# RFC 3986 without what would end a header's or an attribute's value.
_URI = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&()*+,=%-]+")
_URI_LONGEST = 2000
_URIS_MOST = 20
# RFC 8252, section 7.1: a domain in reverse, which nobody else's scheme is.
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")


class GrantType(StrEnum):
    """What a client may exchange for tokens."""

    AUTHORIZATION_CODE = "authorization_code"
    CLIENT_CREDENTIALS = "client_credentials"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 RFC 6749's name


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """A registered application; `confidential` ones have a secret that only they know."""

    id: str
    name: str
    confidential: bool
    redirect_uris: tuple[str, ...]
    scopes: tuple[str, ...]
    grant_types: tuple[GrantType, ...]
    # Whether a code is given out only to a request with a PKCE challenge.
    require_pkce: bool
    created_at: int
    # Where browsers may be sent after a logout (OpenID Connect RP-Initiated Logout 1.0).
    post_logout_redirect_uris: tuple[str, ...] = ()

    def may(self, grant: GrantType) -> bool:
        """Whether it may use the grant."""
        return grant in self.grant_types

    def allowed(self, asked: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the scopes that the client may have."""
        return tuple(scope for scope in asked if scope in self.scopes)

    def allowed_itself(self) -> tuple[str, ...]:
        """What the client may have for itself, without a user."""
        return tuple(scope for scope in self.scopes if scope not in PERSONAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a client that somebody wants to register."""

    field: str
    message: str


def client_problem(client: OAuthClient) -> Problem | None:
    """Why the client cannot be registered; None when it can."""
    checks = (
        ("client_id", _id_problem(client.id)),
        ("name", name_problem(client.name)),
        ("grant_types", _grant_problem(client)),
        ("scopes", _scope_problem(client)),
        ("redirect_uris", _redirects_problem(client)),
        ("post_logout_redirect_uris", _logout_problem(client)),
        ("require_pkce", _pkce_problem(client)),
    )
    return next((Problem(field=field, message=said) for field, said in checks if said), None)


def _id_problem(client_id: str) -> str | None:
    if len(client_id) not in _ID_LENGTH or not _ID.fullmatch(client_id):
        return (
            f"must have {_ID_LENGTH.start} to {_ID_LENGTH.stop - 1} characters:"
            " lower-case letters and digits, joined by single hyphens, a letter first"
        )
    # An ID token is for its client: one named like an API would be good for that API.
    if _UUID.fullmatch(client_id) or client_id in {API_AUDIENCE, MESH_AUDIENCE}:
        return "is reserved"
    return None


def _grant_problem(client: OAuthClient) -> str | None:
    grants = client.grant_types
    if not grants or len(set(grants)) != len(grants):
        return "must name each grant type once, and one at least"
    if GrantType.CLIENT_CREDENTIALS in grants and not client.confidential:
        return "client_credentials is for confidential clients only"
    if GrantType.REFRESH_TOKEN in grants and GrantType.AUTHORIZATION_CODE not in grants:
        return "refresh_token needs authorization_code"
    return None


def _scope_problem(client: OAuthClient) -> str | None:
    scopes = client.scopes
    if not scopes or len(set(scopes)) != len(scopes) or not set(scopes) <= set(SCOPES):
        return f"must be of {', '.join(SCOPES)}, each once, and one at least"
    if OFFLINE_ACCESS in scopes and not client.may(GrantType.REFRESH_TOKEN):
        return "offline_access needs the grant type refresh_token"
    return None


def _redirects_problem(client: OAuthClient) -> str | None:
    uris = client.redirect_uris
    if bool(uris) != client.may(GrantType.AUTHORIZATION_CODE):
        return "are for authorization_code, which needs one at least"
    return _uris_problem(uris)


def _logout_problem(client: OAuthClient) -> str | None:
    uris = client.post_logout_redirect_uris
    if uris and not client.may(GrantType.AUTHORIZATION_CODE):
        return "are for authorization_code"
    return _uris_problem(uris)


def _uris_problem(uris: tuple[str, ...]) -> str | None:
    if len(uris) > _URIS_MOST or len(set(uris)) != len(uris):
        return f"must be at most {_URIS_MOST}, each once"
    problems = (redirect_uri_problem(uri) for uri in uris)
    return next((problem for problem in problems if problem), None)


def redirect_uri_problem(uri: str) -> str | None:
    """Why nobody can be sent there; None when browsers can (RFC 6749, 3.1.2, and RFC 8252, 7)."""
    if len(uri) > _URI_LONGEST or not _URI.fullmatch(uri):
        return "must be absolute URIs without fragment"
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018 raises for what is no port
    except ValueError:
        return "must be absolute URIs without fragment"
    if parts.scheme in {"http", "https"}:
        return _web_problem(parts)
    if not _PRIVATE_SCHEME.fullmatch(parts.scheme):
        return "must be https, http on loopback, or a private scheme such as com.example.app"
    return None if parts.path or parts.netloc else "must have a path"


def _web_problem(parts: SplitResult) -> str | None:
    if not parts.hostname or "@" in parts.netloc:
        return "must name a host, and no user"
    if parts.scheme == "http" and not _loopback(parts.hostname):
        return "must be https, except on loopback"
    return None


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _pkce_problem(client: OAuthClient) -> str | None:
    # RFC 9700, section 2.1.1.
    if not client.require_pkce and not client.confidential:
        return "is a must for public clients"
    return None
