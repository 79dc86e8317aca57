"""What an application may be allowed."""

from collections.abc import Iterable

OPENID = "openid"
PROFILE = "profile"
EMAIL = "email"
OFFLINE_ACCESS = "offline_access"
TOKENS_READ = "tokens.read"
TOKENS_WRITE = "tokens.write"
# All that there are; OpenID Connect Core, section 5.4, has the first four.
SCOPES = (OPENID, PROFILE, EMAIL, OFFLINE_ACCESS, TOKENS_READ, TOKENS_WRITE)
# About a person: nothing that an application could have for itself.
PERSONAL = frozenset({OPENID, PROFILE, EMAIL, OFFLINE_ACCESS})


def split(text: str) -> tuple[str, ...]:
    """The scopes of a space-separated list, each once, in its order (RFC 6749, section 3.3)."""
    return tuple(dict.fromkeys(scope for scope in text.split(" ") if scope))


def joined(scopes: Iterable[str]) -> str:
    """The scopes as a list that is sent."""
    return " ".join(scopes)
