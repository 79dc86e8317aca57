"""An authorization request that has been found in order (OpenID Connect Core, section 3.1.2)."""

from dataclasses import dataclass
from enum import StrEnum

from svc_auth.domain.oauth2.client import OAuthClient
from svc_auth.domain.oauth2.session import LoginSession

_SECOND = 1_000_000


class Prompt(StrEnum):
    """What a client wants the user to be asked."""

    NONE = "none"
    LOGIN = "login"
    CONSENT = "consent"
    SELECT_ACCOUNT = "select_account"


class ResponseMode(StrEnum):
    """How the answer travels."""

    QUERY = "query"
    FORM_POST = "form_post"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyTo:
    """Where an answer may go: a client that exists, at an address of its own."""

    client: OAuthClient
    redirect_uri: str
    mode: ResponseMode = ResponseMode.QUERY
    state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """What a client asks a user for; `hinted` is the user whom its id_token_hint is about."""

    reply_to: ReplyTo
    scopes: tuple[str, ...]
    prompts: frozenset[Prompt]
    # Seconds since the login, at most.
    max_age: int | None = None
    nonce: str | None = None
    code_challenge: str | None = None
    login_hint: str = ""
    hinted: str | None = None

    @property
    def client(self) -> OAuthClient:
        """Who asks."""
        return self.reply_to.client

    @property
    def silent(self) -> bool:
        """Whether nobody may be asked anything."""
        return Prompt.NONE in self.prompts

    def fresh_enough(self, session: LoginSession, *, asked_at: int, now: int) -> bool:
        """Whether the session's login is one that the request takes.

        A login since the request was made answers whatever it demanded.
        """
        if session.auth_time >= asked_at:
            return True
        if self.prompts & {Prompt.LOGIN, Prompt.SELECT_ACCOUNT}:
            return False
        return self.max_age is None or now - session.auth_time <= self.max_age * _SECOND
