"""Puts OAuth2 together, for wiring.py alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter

from mesh.identity.jose import ES256, RS256
from mesh.service import Context
from svc_auth.crypto.keyring import Keyring, Lifetimes
from svc_auth.crypto.oauth_tokens import OAuthMinter
from svc_auth.crypto.opaque import OpaqueTexts
from svc_auth.crypto.proofs import KeyedProofs
from svc_auth.crypto.tokens import MESH_LIFETIME
from svc_auth.domain.claims import SECOND
from svc_auth.domain.oauth2.playground import PLAYGROUND, PLAYGROUND_SECRET
from svc_auth.oauth2.authorize import AuthorizeEndpoint
from svc_auth.oauth2.browser import Browser
from svc_auth.oauth2.discovery import discovery_router
from svc_auth.oauth2.jwks import jwks_router
from svc_auth.oauth2.logout import LogoutEndpoint
from svc_auth.oauth2.token import TokenEndpoints
from svc_auth.oauth2.userinfo import UserInfoEndpoint
from svc_auth.ports import Revocations
from svc_auth.ports_oauth2 import Registered
from svc_auth.servicers.oauth_client import OauthClientServicer
from svc_auth.servicers.oauth_consent import OauthConsentServicer
from svc_auth.settings import AuthSettings
from svc_auth.stores.stores import AuthStores
from svc_auth.usecases.end_access import EndAccess
from svc_auth.usecases.login import Login
from svc_auth.usecases.oauth2.authenticate_client import AuthenticateClient
from svc_auth.usecases.oauth2.authorize import Authorize
from svc_auth.usecases.oauth2.browser import (
    BrowserLogin,
    BrowserLogout,
    FindBrowserUser,
    FindSession,
)
from svc_auth.usecases.oauth2.client_token import ClientToken
from svc_auth.usecases.oauth2.exchange_code import ExchangeCode
from svc_auth.usecases.oauth2.find_client import FindClient
from svc_auth.usecases.oauth2.introspect import Introspect
from svc_auth.usecases.oauth2.issue import Issue
from svc_auth.usecases.oauth2.list_clients import ListClients
from svc_auth.usecases.oauth2.list_consents import ListConsents
from svc_auth.usecases.oauth2.refresh import Refresh
from svc_auth.usecases.oauth2.register_client import RegisterClient
from svc_auth.usecases.oauth2.remove_client import RemoveClient
from svc_auth.usecases.oauth2.revoke_token import RevokeToken
from svc_auth.usecases.oauth2.rotate_secret import RotateSecret
from svc_auth.usecases.oauth2.userinfo import UserInfo
from svc_auth.usecases.oauth2.validate_authorization import ValidateAuthorization
from svc_auth.usecases.oauth2.validate_logout import ValidateLogout
from svc_auth.usecases.oauth2.withdraw_consent import WithdrawConsent

_LONGEST_CACHE = 300.0


def lifetimes(settings: AuthSettings) -> Lifetimes:
    """How long what is signed lives, as the settings have it."""
    auth = settings.auth
    longest = max(auth.jwt.expiry, auth.oidc.access_token_lifetime)
    return Lifetimes(
        tokens={RS256: int(longest) * SECOND, ES256: MESH_LIFETIME * SECOND},
        publish_before=int(auth.keys.publish_before * SECOND),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2House:
    """The pieces that OAuth2's endpoints are made of."""

    context: Context[AuthSettings]
    store: AuthStores
    opaque: OpaqueTexts
    proofs: KeyedProofs
    keyring: Keyring
    revocations: Revocations
    login: Login

    @property
    def _settings(self) -> AuthSettings:
        return self.context.settings.current

    def _issuer(self) -> str:
        return self._settings.auth.oidc.issuer

    def _built_in(self) -> Registered | None:
        if not self._settings.policy.playground:
            return None
        return Registered(client=PLAYGROUND, secret_hash=self.opaque.hash(PLAYGROUND_SECRET))

    @property
    def _tokens(self) -> OAuthMinter:
        return OAuthMinter(
            keyring=self.keyring,
            issuer=self._issuer,
            lifetime=lambda: int(self._settings.auth.oidc.access_token_lifetime) * SECOND,
            clock=self.context.clock,
            ids=self.context.ids,
        )

    @property
    def _find(self) -> FindClient:
        return FindClient(clients=self.store.oauth_clients, built_in=self._built_in)

    def clients(self) -> OauthClientServicer:
        """Where clients are registered."""
        clients, clock = self.store.oauth_clients, self.context.clock
        end = EndAccess(
            log=self.store.revocations,
            keys=self.store.signing_keys,
            revocations=self.revocations,
            clock=clock,
        )
        return OauthClientServicer(
            register=RegisterClient(clients=clients, opaque=self.opaque, clock=clock),
            clients=ListClients(clients=clients),
            rotate=RotateSecret(clients=clients, opaque=self.opaque, end=end, clock=clock),
            remove=RemoveClient(clients=clients, end=end, clock=clock),
        )

    def consents(self) -> OauthConsentServicer:
        """Where users look at what they have allowed."""
        consents = self.store.consents
        withdraw = WithdrawConsent(
            consents=consents, revocations=self.revocations, clock=self.context.clock
        )
        return OauthConsentServicer(consents_of=ListConsents(consents=consents), withdraw=withdraw)

    def routers(self) -> Sequence[APIRouter]:
        """Everything that OAuth2 speaks."""
        userinfo = UserInfo(grants=self.store.grants, users=self.store.users, tokens=self._tokens)
        max_age = int(min(_LONGEST_CACHE, self._settings.auth.keys.publish_before / 2))
        return (
            jwks_router(lambda: self.keyring.jwks, max_age=max_age),
            discovery_router(self._issuer),
            self._authorize().router(),
            self._logout().router(),
            self._token().router(),
            UserInfoEndpoint(userinfo=userinfo).router(),
        )

    def _authorize(self) -> AuthorizeEndpoint:
        oidc = self._settings.auth.oidc
        authorize = Authorize(
            users=self.store.users,
            consents=self.store.consents,
            grants=self.store.grants,
            opaque=self.opaque,
            lifetime=lambda: int(oidc.refresh_token_lifetime * SECOND),
            clock=self.context.clock,
            ids=self.context.ids,
        )
        login = BrowserLogin(
            login=self.login,
            sessions=self.store.login_sessions,
            opaque=self.opaque,
            lifetime=lambda: int(oidc.session_lifetime * SECOND),
            clock=self.context.clock,
        )
        return AuthorizeEndpoint(
            validate=ValidateAuthorization(find=self._find, tokens=self._tokens),
            authorize=authorize,
            login=login,
            session_of=self._session_of,
            user_of=self._user_of,
            browser=self._browser,
            issuer=self._issuer,
        )

    @property
    def _browser(self) -> Browser:
        return Browser(
            opaque=self.opaque,
            proofs=self.proofs,
            issuer=self._issuer,
            clock=self.context.clock,
        )

    @property
    def _session_of(self) -> FindSession:
        return FindSession(sessions=self.store.login_sessions, opaque=self.opaque)

    @property
    def _user_of(self) -> FindBrowserUser:
        return FindBrowserUser(
            session_of=self._session_of, users=self.store.users, clock=self.context.clock
        )

    def _logout(self) -> LogoutEndpoint:
        return LogoutEndpoint(
            validate=ValidateLogout(find=self._find, tokens=self._tokens),
            user_of=self._user_of,
            log_out=BrowserLogout(
                sessions=self.store.login_sessions,
                opaque=self.opaque,
                clock=self.context.clock,
            ),
            browser=self._browser,
        )

    def _token(self) -> TokenEndpoints:
        grants, clock, tokens = self.store.grants, self.context.clock, self._tokens
        issue = Issue(users=self.store.users, tokens=tokens)
        return TokenEndpoints(
            authenticate=AuthenticateClient(find=self._find, opaque=self.opaque),
            exchange_code=ExchangeCode(
                grants=grants,
                issue=issue,
                opaque=self.opaque,
                revocations=self.revocations,
            ),
            refresh=Refresh(
                grants=grants,
                issue=issue,
                opaque=self.opaque,
                revocations=self.revocations,
            ),
            client_token=ClientToken(grants=grants, tokens=tokens),
            introspect=Introspect(grants=grants, tokens=tokens, opaque=self.opaque, clock=clock),
            revoke=RevokeToken(
                grants=grants,
                tokens=tokens,
                opaque=self.opaque,
                revocations=self.revocations,
                clock=clock,
            ),
            clock=clock,
        )
