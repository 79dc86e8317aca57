"""What OAuth2's use cases need from outside, beside what all others do.

Each method is one atomic step. A `record` is written in the step's own transaction, and
only if that changes something; what a step revokes is written there too, as the `caller`'s
doing. Times are microseconds since the epoch. A store that is away raises AppError
UNAVAILABLE.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from svc_auth.domain.caller import Caller
from svc_auth.domain.claims import Token
from svc_auth.domain.oauth2.client import OAuthClient
from svc_auth.domain.oauth2.consent import Consent
from svc_auth.domain.oauth2.grant import Grant, IssuedToken, Redeemed, RefreshToken
from svc_auth.domain.oauth2.session import LoginSession
from svc_auth.domain.record import Record
from svc_auth.domain.user import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A client and the hash of its secret; a public one has none."""

    client: OAuthClient
    secret_hash: str | None = field(repr=False)


class OAuthClients(Protocol):
    """Registered clients."""

    async def add_client(self, registered: Registered, record: Record) -> bool:
        """Stores the client; False when its id is taken."""
        ...

    async def find_client(self, client_id: str) -> Registered | None:
        """The client."""
        ...

    async def clients(self) -> Sequence[OAuthClient]:
        """All of them, oldest first."""
        ...

    async def replace_secret(self, client_id: str, secret_hash: str, record: Record) -> bool:
        """Has another secret count from now on; False for no confidential client."""
        ...

    async def remove_client(self, client_id: str, *, record: Record) -> bool:
        """Forgets the client, its consents and grants; False for an unknown one."""
        ...


class Grants(Protocol):
    """What users have allowed, and the tokens that came of it."""

    async def add_grant(self, grant: Grant, code_hash: str, session: LoginSession) -> bool:
        """Stores a grant whose code has this hash.

        False when the login, the client or the user's consent are gone.
        """
        ...

    async def redeem_code(self, code_hash: str, *, at: int, caller: Caller) -> Redeemed | None:
        """Spends the code, or revokes its grant when it was spent before; None if unknown."""
        ...

    async def issue(self, token: IssuedToken, refresh_hash: str | None) -> bool:
        """Notes an access token, and the refresh token beside it.

        False for a revoked grant, and for a client that was removed.
        """
        ...

    async def find_refresh(self, refresh_hash: str) -> RefreshToken | None:
        """The refresh token."""
        ...

    async def rotate_refresh(
        self,
        refresh_hash: str,
        *,
        successor_hash: str,
        token: IssuedToken,
        at: int,
        caller: Caller,
    ) -> bool:
        """Exchanges a refresh token that is still good; False, and no grant, when it was used."""
        ...

    async def find_token(self, token_id: str) -> IssuedToken | None:
        """The access token, unless it is unknown or revoked; an expired one may be returned."""
        ...

    async def revoke_token(self, token_id: str, *, at: int, caller: Caller) -> None:
        """Revokes one access token; again is no fault."""
        ...

    async def revoke_grant(self, grant_id: str, *, at: int, caller: Caller, why: str = "") -> None:
        """Revokes a whole family; again is no fault."""
        ...

    async def purge(self, *, before: int) -> None:
        """Forgets what had ended by then, and codes from before then that nobody has redeemed."""
        ...


class Consents(Protocol):
    """What users need not be asked again."""

    async def find_consent(self, user_id: str, client_id: str) -> frozenset[str]:
        """The scopes that the user has allowed the client."""
        ...

    async def add_consent(
        self, user_id: str, client_id: str, scopes: Sequence[str], *, at: int, record: Record
    ) -> None:
        """Remembers them beside those that were allowed before; nothing for a removed client."""
        ...

    async def consents_of(self, user_id: str) -> Sequence[Consent]:
        """All that the user has allowed, oldest first."""
        ...

    async def withdraw_consent(
        self, user_id: str, client_id: str, *, at: int, record: Record
    ) -> bool:
        """Forgets what the user allowed the client, and revokes every grant that came of it.

        False when there was nothing.
        """
        ...


class LoginSessions(Protocol):
    """Browsers that are logged in, by the hash of their cookie."""

    async def add_session(self, session: LoginSession) -> bool:
        """Stores the session; False when the user's were ended after its `auth_time`."""
        ...

    async def find_session(self, session_hash: str) -> LoginSession | None:
        """The session; an expired one may be returned."""
        ...

    async def end_session(self, session_hash: str, record: Record | None = None) -> None:
        """Ends it; again is no fault, and is not written down."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessClaims:
    """What an access token of ours says."""

    token_id: str
    subject: str
    client_id: str
    username: str
    scopes: tuple[str, ...]
    expires_at: int
    # Everything as it was signed.
    claims: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A signed access token and how it is known."""

    token: Token
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityHint:
    """Whom an ID token of ours is about, and which client it was made for."""

    user_id: str
    client_id: str


class OAuthTokens(Protocol):
    """Tokens that OAuth2's clients get."""

    def for_user(self, user: User, grant: Grant, scopes: Sequence[str], *, at: int) -> AccessToken:
        """An access token (RFC 9068) of a grant, for its user, who was looked up after `at`."""
        ...

    def for_client(self, client_id: str, scopes: Sequence[str], *, at: int) -> AccessToken:
        """An access token for the client itself."""
        ...

    def id_token(self, grant: Grant, access_token: str, *, nonce: str | None) -> str:
        """An ID token (OpenID Connect Core, section 2) beside the access token."""
        ...

    def read_access(self, text: str) -> AccessClaims | None:
        """What an access token says; None for one that is none of ours, or has ended."""
        ...

    def read_hint(self, text: str) -> IdentityHint | None:
        """What an ID token says, also an expired one; None for one that is none of ours."""
        ...
