"""From a request's metadata to who is calling."""

from collections.abc import Mapping

from mesh.identity.api_keys import ApiKeys
from mesh.identity.bearer import Bearer
from mesh.identity.jose import InvalidToken
from mesh.identity.principal import NOBODY, Found, Principal
from mesh.identity.refusals import unauthenticated

AUTHORIZATION = "authorization"
API_KEY = "x-api-key"


class Credentials:
    """Reads `authorization: Bearer <JWT>` and `x-api-key: <key>`, and nothing else.

    When both are sent, Authorization alone counts: a bad one is refused, and
    the key is not looked at.
    """

    def __init__(self, *, bearer: Bearer, api_keys: ApiKeys) -> None:
        self._bearer = bearer
        self._api_keys = api_keys

    def principal(self, metadata: Mapping[str, str], *, api_keys: bool = True) -> Found:
        """The verified caller, NOBODY without a credential.

        Raises AppError: UNAUTHENTICATED or INVALID_API_KEY for a bad
        credential, UNAVAILABLE for one that cannot be checked. `api_keys`
        False leaves an API key unread.
        """
        authorization = metadata.get(AUTHORIZATION)
        if authorization is not None:
            return self._from_token(authorization)
        key = metadata.get(API_KEY) if api_keys else None
        return NOBODY if key is None else self._api_keys.principal(key)

    def _from_token(self, authorization: str) -> Found:
        # RFC 6750, section 2.1; the scheme's case does not matter (RFC 9110, section 11.1).
        scheme, _, token = authorization.partition(" ")
        token = token.strip(" ")
        if scheme.lower() != "bearer" or not token or not token.isascii():
            raise unauthenticated("Authorization must be: Bearer <token>")
        return self._bearer.known(token) or self._verified(token)

    async def _verified(self, token: str) -> Principal:
        try:
            return await self._bearer.principal(token)
        except InvalidToken as error:
            raise unauthenticated(f"the token is not valid: {error}") from None
