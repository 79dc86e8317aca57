"""Reads authorization requests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from authlib.oauth2.rfc6749 import (
    InvalidRequestError,
    InvalidScopeError,
    UnauthorizedClientError,
    UnsupportedResponseTypeError,
)
from authlib.oauth2.rfc7636.challenge import CODE_CHALLENGE_PATTERN
from authlib.oidc.core.errors import (
    RegistrationNotSupportedError,
    RequestNotSupportedError,
    RequestURINotSupportedError,
)

from svc_auth.domain.oauth2 import scopes
from svc_auth.domain.oauth2.client import GrantType, OAuthClient
from svc_auth.domain.oauth2.request import AuthorizationRequest, Prompt, ReplyTo, ResponseMode
from svc_auth.domain.text import storable
from svc_auth.ports_oauth2 import OAuthTokens
from svc_auth.usecases.oauth2.find_client import FindClient

Parameters = Mapping[str, Sequence[str]]
_LONGEST_MAX_AGE = 10
_LONGEST_TEXT = 1024
_S256_LENGTH = 43
# What is known of but not taken, and how that is said.
_UNSUPPORTED = {
    "request": RequestNotSupportedError,
    "request_uri": RequestURINotSupportedError,
    "registration": RegistrationNotSupportedError,
}


class UntrustedRequestError(Exception):
    """Nothing may be sent back: the client or its redirect URI is not known to be real."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateAuthorization:
    """From parameters to a request in order, or to a refusal that may be sent back."""

    find: FindClient
    tokens: OAuthTokens

    async def reply_to(self, parameters: Parameters) -> ReplyTo:
        """Where answers go; UntrustedRequestError when that is nowhere.

        The redirect URI has to be there and is compared as text (RFC 9700, section 2.1).
        """
        client_id = _only(parameters, "client_id")
        registered = await self.find(client_id) if client_id else None
        if registered is None:
            raise UntrustedRequestError("The application is not known here.")
        uri = _only(parameters, "redirect_uri")
        if uri not in registered.client.redirect_uris:
            raise UntrustedRequestError("The address to return to is not one of the application's.")
        states = parameters.get("state", ())
        return ReplyTo(
            client=registered.client,
            redirect_uri=uri,
            mode=_mode(parameters),
            state=states[0] if states else None,
        )

    def __call__(self, parameters: Parameters, reply_to: ReplyTo) -> AuthorizationRequest:
        """The request; OAuth2Error to be sent back."""
        _refuse_repeated(parameters)
        given = {name: values[0] for name, values in parameters.items() if values[0]}
        for name, unsupported in _UNSUPPORTED.items():
            if name in given:
                raise unsupported()
        _check_response(given, reply_to.client)
        return AuthorizationRequest(
            reply_to=reply_to,
            scopes=_scopes(given, reply_to.client),
            prompts=_prompts(given),
            max_age=_max_age(given),
            nonce=_text(given, "nonce"),
            code_challenge=_challenge(given, reply_to.client),
            login_hint=given.get("login_hint", "")[:_LONGEST_TEXT],
            hinted=self._hinted(given, reply_to.client),
        )

    def _hinted(self, given: Mapping[str, str], client: OAuthClient) -> str | None:
        hint = given.get("id_token_hint")
        if hint is None:
            return None
        read = self.tokens.read_hint(hint)
        if read is None or read.client_id != client.id:
            raise InvalidRequestError("id_token_hint is no ID token for this client")
        return read.user_id


def _only(parameters: Parameters, name: str) -> str:
    values = parameters.get(name, ())
    return values[0] if len(values) == 1 else ""


def _mode(parameters: Parameters) -> ResponseMode:
    # An unknown one is refused later on, by way of the default.
    form = _only(parameters, "response_mode") == ResponseMode.FORM_POST
    return ResponseMode.FORM_POST if form else ResponseMode.QUERY


def _refuse_repeated(parameters: Parameters) -> None:
    if any(len(values) > 1 for values in parameters.values()):
        raise InvalidRequestError("a parameter is given more than once")


def _check_response(given: Mapping[str, str], client: OAuthClient) -> None:
    response_type = given.get("response_type")
    if response_type is None:
        raise InvalidRequestError("response_type is missing")
    if response_type != "code":
        raise UnsupportedResponseTypeError(response_type, "only response_type=code is supported")
    if given.get("response_mode", ResponseMode.QUERY) not in set(ResponseMode):
        raise InvalidRequestError("response_mode is not supported")
    if not client.may(GrantType.AUTHORIZATION_CODE):
        raise UnauthorizedClientError("the client may not use authorization codes")


def _scopes(given: Mapping[str, str], client: OAuthClient) -> tuple[str, ...]:
    # OpenID Connect Core, section 3.1.2.1: what is not understood is ignored.
    allowed = client.allowed(scopes.split(given.get("scope", "")))
    if not allowed:
        raise InvalidScopeError("scope names nothing that the client may have")
    return allowed


def _prompts(given: Mapping[str, str]) -> frozenset[Prompt]:
    try:
        prompts = frozenset(Prompt(word) for word in scopes.split(given.get("prompt", "")))
    except ValueError:
        raise InvalidRequestError("prompt has an unknown value") from None
    if Prompt.NONE in prompts and len(prompts) > 1:
        raise InvalidRequestError("prompt=none stands alone")
    return prompts


def _max_age(given: Mapping[str, str]) -> int | None:
    text = given.get("max_age")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_MAX_AGE):
        raise InvalidRequestError("max_age must be a number of seconds")
    return int(text)


def _text(given: Mapping[str, str], name: str) -> str | None:
    text = given.get(name)
    if text is not None and len(text) > _LONGEST_TEXT:
        raise InvalidRequestError(f"{name} has more than {_LONGEST_TEXT} characters")
    if text is not None and not storable(text):
        raise InvalidRequestError(f"{name} has control characters")
    return text


def _challenge(given: Mapping[str, str], client: OAuthClient) -> str | None:
    challenge, method = given.get("code_challenge"), given.get("code_challenge_method")
    if challenge is None:
        if method is not None or client.require_pkce:
            raise InvalidRequestError("code_challenge is missing (RFC 7636)")
        return None
    # RFC 7636, section 4.3: without a method it would be plain, which is not taken.
    if method != "S256":
        raise InvalidRequestError("code_challenge_method must be S256")
    if not CODE_CHALLENGE_PATTERN.match(challenge) or len(challenge) != _S256_LENGTH:
        raise InvalidRequestError("code_challenge is not what S256 makes")
    return challenge
