"""What becomes of an authorization request: a question to the user, or a code."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NoReturn

from authlib.oauth2 import OAuth2Error
from authlib.oidc.core.errors import ConsentRequiredError, LoginRequiredError

from mesh.clock import Clock, Ids
from svc_auth.domain.audit import Action
from svc_auth.domain.caller import Caller
from svc_auth.domain.oauth2.audit import client_entry
from svc_auth.domain.oauth2.grant import Grant
from svc_auth.domain.oauth2.request import AuthorizationRequest, Prompt
from svc_auth.domain.oauth2.scopes import OFFLINE_ACCESS
from svc_auth.domain.oauth2.session import LoginSession
from svc_auth.domain.record import Record
from svc_auth.domain.user import User
from svc_auth.ports import Opaque, Users
from svc_auth.ports_oauth2 import Consents, Grants
from svc_auth.usecases.oauth2.browser import user_behind


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginNeeded:
    """The user has to say who it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentNeeded:
    """The user has to agree."""

    user: User


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeGiven:
    """Everything was in order."""

    code: str


Step = LoginNeeded | ConsentNeeded | CodeGiven


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorize:
    """Takes a request as far as it goes without a word of the user's.

    `asked_at` is when the request arrived first; `agreed` is whether the user
    has just agreed to it.
    """

    users: Users
    consents: Consents
    grants: Grants
    opaque: Opaque
    # How long a grant lasts, in microseconds.
    lifetime: Callable[[], int]
    clock: Clock
    ids: Ids

    async def __call__(
        self,
        caller: Caller,
        request: AuthorizationRequest,
        session: LoginSession | None,
        *,
        asked_at: int,
        agreed: bool = False,
    ) -> Step:
        """What to do next; OAuth2Error to be sent back where prompt=none forbids it."""
        user = await self._logged_in(request, session, asked_at)
        if user is None or session is None:
            return LoginNeeded() if not request.silent else _refuse(LoginRequiredError())
        if request.hinted not in {None, user.id}:
            # Somebody else is here; who has just logged in is not asked again.
            again = not request.silent and session.auth_time < asked_at
            return LoginNeeded() if again else _refuse(LoginRequiredError())
        if agreed:
            await self._note(caller, request, user)
        elif await self._must_agree(request, user):
            return (
                ConsentNeeded(user=user) if not request.silent else _refuse(ConsentRequiredError())
            )
        code = await self._code(request, session)
        if code is None:
            return LoginNeeded() if not request.silent else _refuse(LoginRequiredError())
        return CodeGiven(code=code)

    async def _logged_in(
        self, request: AuthorizationRequest, session: LoginSession | None, asked_at: int
    ) -> User | None:
        now = self.clock.now_us()
        if session is None or not request.fresh_enough(session, asked_at=asked_at, now=now):
            return None
        return await user_behind(session, self.users, now=now)

    async def _note(self, caller: Caller, request: AuthorizationRequest, user: User) -> None:
        now, client_id = self.clock.now_us(), request.client.id
        acting = replace(caller, actor=user.id)
        entry = client_entry(acting, Action.OAUTH_CONSENT_GIVEN, client_id, at=now, user_id=user.id)
        await self.consents.add_consent(
            user.id, client_id, request.scopes, at=now, record=Record(entry=entry)
        )

    async def _must_agree(self, request: AuthorizationRequest, user: User) -> bool:
        if Prompt.CONSENT in request.prompts or OFFLINE_ACCESS in request.scopes:
            # What lasts is agreed to each time (OpenID Connect Core, section 11).
            return True
        if not _proven(request):
            return True
        allowed = await self.consents.find_consent(user.id, request.client.id)
        return not allowed.issuperset(request.scopes)

    async def _code(self, request: AuthorizationRequest, session: LoginSession) -> str | None:
        code, now = self.opaque.new_secret(), self.clock.now_us()
        grant = Grant(
            id=self.ids.new(),
            client_id=request.client.id,
            user_id=session.user_id,
            scopes=request.scopes,
            redirect_uri=request.reply_to.redirect_uri,
            auth_time=session.auth_time,
            created_at=now,
            ends_at=now + self.lifetime(),
            nonce=request.nonce,
            code_challenge=request.code_challenge,
        )
        added = await self.grants.add_grant(grant, self.opaque.hash(code), session)
        return code if added else None


def _proven(request: AuthorizationRequest) -> bool:
    # Whether nobody else can stand where the client is answered. Without a secret any
    # program may have taken a port or a scheme (RFC 8252, section 8.6).
    return request.client.confidential or request.reply_to.redirect_uri.startswith("https://")


def _refuse(error: OAuth2Error) -> NoReturn:
    raise error
