"""Finds out who is calling."""

from collections.abc import Mapping
from typing import Any, Protocol

from leaky.edge.v1.options_pb2 import ACCESS_INTERNAL, ACCESS_PUBLIC
from mesh.identity.jose import InvalidToken
from mesh.identity.principal import Principal
from mesh.identity.refusals import unauthenticated
from mesh.identity.service_tokens import HEADER
from mesh.rpc.call import CLIENT_ADDRESS, Call
from mesh.rpc.dispatcher import Handler


class Credentials(Protocol):
    """Reads users' credentials."""

    async def principal(self, metadata: Mapping[str, str], *, api_keys: bool = True) -> Principal:
        """The verified user; AppError for a bad credential."""
        ...


class Services(Protocol):
    """Reads services' tokens."""

    def caller(self, token: str) -> str:
        """The service's name; InvalidToken for a bad one."""
        ...


class Authenticate:
    """Fills `call.principal` and `call.caller` from what is verified, and from nothing else.

    So it is with `call.client_address`: only a verified service is believed whom it calls for.

    A bad credential is 401 whatever the profile. Public methods do not read a
    user's credentials, so that a stale one never stands in the way of a login,
    and take no notice of a bad service token.
    """

    def __init__(self, *, credentials: Credentials, services: Services) -> None:
        self._credentials = credentials
        self._services = services

    async def __call__(self, request: Any, call: Call, proceed: Handler) -> Any:
        """Verifies, then proceeds."""
        access = call.method.rule.access
        try:
            call.caller = self._caller(call.metadata)
        except InvalidToken as error:
            if access != ACCESS_PUBLIC:
                raise unauthenticated(f"{HEADER} is not valid: {error}") from None
        if call.caller:
            # A service calls for somebody: who that was, it alone knows.
            call.client_address = call.metadata.get(CLIENT_ADDRESS, call.client_address)
        if access != ACCESS_PUBLIC:
            # Services hand users on as tokens. That svc_auth's own internal
            # methods read no API keys also keeps an exchange from asking for itself.
            call.principal = await self._credentials.principal(
                call.metadata, api_keys=access != ACCESS_INTERNAL
            )
        return await proceed(request, call)

    def _caller(self, metadata: Mapping[str, str]) -> str:
        token = metadata.get(HEADER)
        return "" if token is None else self._services.caller(token)
