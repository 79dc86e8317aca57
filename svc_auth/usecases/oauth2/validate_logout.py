"""Reads requests to log out (OpenID Connect RP-Initiated Logout 1.0, sections 2 and 4)."""

from collections.abc import Mapping
from dataclasses import dataclass

from authlib.oauth2.rfc6749 import InvalidRequestError

from svc_auth.domain.oauth2.client import OAuthClient
from svc_auth.domain.oauth2.logout import LogoutRequest
from svc_auth.ports_oauth2 import IdentityHint, OAuthTokens
from svc_auth.usecases.oauth2.find_client import FindClient
from svc_auth.usecases.oauth2.validate_authorization import UntrustedRequestError


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateLogout:
    """From parameters to a request in order. What is not understood is ignored."""

    find: FindClient
    tokens: OAuthTokens

    async def __call__(self, given: Mapping[str, str]) -> LogoutRequest:
        """The request; UntrustedRequestError for an address that is not the client's own.

        A hint that proves nothing is as good as none: the user is asked. Raises
        InvalidRequestError where hint and client_id contradict each other.
        """
        hint = self.tokens.read_hint(given.get("id_token_hint", ""))
        client = await self._client(given, hint)
        return LogoutRequest(
            client=client,
            hinted=hint.user_id if hint and client else None,
            redirect_uri=_redirect_uri(given, client),
            state=given.get("state"),
        )

    async def _client(
        self, given: Mapping[str, str], hint: IdentityHint | None
    ) -> OAuthClient | None:
        client_id = given.get("client_id", hint.client_id if hint else "")
        if hint is not None and client_id != hint.client_id:
            raise InvalidRequestError("id_token_hint is not for client_id")
        registered = await self.find(client_id) if client_id else None
        return registered.client if registered else None


def _redirect_uri(given: Mapping[str, str], client: OAuthClient | None) -> str | None:
    uri = given.get("post_logout_redirect_uri")
    if uri is None:
        return None
    if client is None:
        raise UntrustedRequestError("The application is not known here.")
    # As text (section 3).
    if uri not in client.post_logout_redirect_uris:
        raise UntrustedRequestError("The address to return to is not one of the application's.")
    return uri
