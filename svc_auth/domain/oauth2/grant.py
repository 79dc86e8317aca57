"""What a user has allowed an application, and what was issued for it.

Times are microseconds since the epoch.
"""

from dataclasses import dataclass

# RFC 6749, section 4.1.2, allows ten minutes and asks for a short life.
CODE_LIFETIME = 60_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One authorisation: a code, and the family of tokens that come of it."""

    id: str
    client_id: str
    user_id: str
    scopes: tuple[str, ...]
    redirect_uri: str
    # When the user proved who it is.
    auth_time: int
    created_at: int
    # When the last refresh token ends, however often it has been exchanged.
    ends_at: int
    nonce: str | None = None
    # PKCE's S256 challenge (RFC 7636), when the request had one.
    code_challenge: str | None = None

    @property
    def code_ends_at(self) -> int:
        """When the code is worth nothing any more."""
        return self.created_at + CODE_LIFETIME


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeemed:
    """A code that somebody has shown; `first` is whether nobody had before."""

    grant: Grant
    first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """An access token by its `jti`; the text itself is kept nowhere."""

    id: str
    client_id: str
    expires_at: int
    # Empty where a client acts for itself.
    user_id: str = ""
    grant_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """A refresh token as it was found by its hash."""

    grant: Grant
    # Exchanged already, so whoever shows it again has it from somewhere else.
    used: bool
    revoked: bool

    def good(self, now: int) -> bool:
        """Whether it may still be exchanged."""
        return not self.used and not self.revoked and now < self.grant.ends_at
