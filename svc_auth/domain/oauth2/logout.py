"""A request to log a browser out (OpenID Connect RP-Initiated Logout 1.0, section 2)."""

from dataclasses import dataclass

from svc_auth.domain.oauth2.client import OAuthClient


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutRequest:
    """What is asked for, as far as it could be proven."""

    # Who asks; None for nobody known.
    client: OAuthClient | None = None
    # The user whom the id_token_hint is about; None without a valid one.
    hinted: str | None = None
    # Where the browser goes in the end, one of the client's own; None for nowhere.
    redirect_uri: str | None = None
    state: str | None = None

    def certain(self, user_id: str) -> bool:
        """Whether the user's logging out needs no word of the user's."""
        return self.hinted == user_id
