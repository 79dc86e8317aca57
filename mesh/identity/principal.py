"""The verified caller of a request."""

from collections.abc import Awaitable
from dataclasses import dataclass, field

ADMIN = "ADMIN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A user, however it proved itself; `user_id` is empty for nobody."""

    user_id: str = ""
    username: str = ""
    roles: frozenset[str] = frozenset()
    # What the credential is limited to; None for whatever the user may do.
    scopes: frozenset[str] | None = None
    providers: frozenset[str] | None = None
    # The API key's id when one was used, for rate limits and revocation.
    api_key_id: str = ""
    # The OAuth2 client that it acts through, and the grant that allows it to.
    client_id: str = ""
    grant_id: str = ""
    # The token's id (jti), and when it was issued, in microseconds since the epoch.
    token_id: str = ""
    issued_us: int = 0
    # When it ends.
    until_us: int = 0
    # The verified JWT, handed on to the next service; a secret, so not shown.
    token: str = field(default="", repr=False)
    # It as the header has it: made once, as each call looks for it by its hash.
    authorization: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "authorization", f"Bearer {self.token}")

    @property
    def anonymous(self) -> bool:
        """Nobody has been verified."""
        return not self.user_id

    @property
    def admin(self) -> bool:
        """Holds the role ADMIN."""
        return ADMIN in self.roles


NOBODY = Principal()
# One that is remembered, as nearly all are, or what finds it out.
Found = Principal | Awaitable[Principal]
