"""What a token says (RFC 7519; `roles` and `scope` as RFC 9068 has them)."""

from dataclasses import dataclass
from typing import Any

API_AUDIENCE = "leaky-api"
MESH_AUDIENCE = "leaky-mesh"
# All that a credential can be limited to, as mesh.identity.scopes has them.
SCOPES = ("account.read", "analytics.read", "tokens.read", "tokens.write")
# What a token says that is not limited.
UNLIMITED = " ".join((*SCOPES, "*"))
SECOND = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a token is about; `api_key_id` is empty unless an API key stood for the user.

    `scopes` and `providers` are what it is limited to; empty for no limit.
    """

    user_id: str
    username: str
    roles: tuple[str, ...]
    api_key_id: str = ""
    scopes: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A signed token; `expires_at` is in microseconds."""

    text: str
    expires_at: int


def claims(
    subject: Subject, *, issuer: str, audience: str, token_id: str, issued_at: int, expires_at: int
) -> dict[str, Any]:
    """The claims; times are given in microseconds and end up in seconds.

    `iat` has a fraction, as a NumericDate may (RFC 7519, section 2): a session
    that was ended and one that was begun in the same second are told apart.
    """
    said: dict[str, Any] = {
        "iss": issuer,
        "sub": subject.user_id,
        "aud": audience,
        "iat": issued_at / SECOND,
        "exp": expires_at // SECOND,
        "jti": token_id,
        "username": subject.username,
        "roles": list(subject.roles),
        "scope": " ".join(subject.scopes) or UNLIMITED,
    }
    if subject.api_key_id:
        said["key_id"] = subject.api_key_id
    if subject.providers:
        said["providers"] = list(subject.providers)
    return said
