"""Finds out who is calling."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from leaky.edge.v1.options_pb2 import ACCESS_INTERNAL, ACCESS_PUBLIC
from mesh.identity.principal import Found, Principal
from mesh.rpc.call import CLIENT_ADDRESS, Call
from mesh.rpc.dispatcher import Handler


class Credentials(Protocol):
    """Reads users' credentials."""

    def principal(self, metadata: Mapping[str, str], *, api_keys: bool = True) -> Found:
        """The verified user; AppError for a bad credential."""
        ...


class Authenticate:
    """Fills `call.principal` from what is verified, and from nothing else.

    So it is with `call.client_address`: a caller says whom it calls for where it
    `speaks_for_others`. A bad credential is 401 whatever the profile. Public methods
    do not read credentials, so that a stale one never stands in the way of a login.
    """

    def __init__(self, credentials: Credentials, speaks_for_others: Callable[[Call], bool]) -> None:
        self._credentials = credentials
        self._speaks_for_others = speaks_for_others

    def __call__(self, request: Any, call: Call, proceed: Handler) -> Awaitable[Any]:
        """Verifies, then proceeds."""
        access = call.method.access
        if self._speaks_for_others(call):
            # A service calls for somebody: who that was, it alone knows.
            call.client_address = call.metadata.get(CLIENT_ADDRESS, call.client_address)
        if access == ACCESS_PUBLIC:
            return proceed(request, call)
        # Services hand users on as tokens. That svc_auth's own internal
        # methods read no API keys also keeps an exchange from asking for itself.
        found = self._credentials.principal(call.metadata, api_keys=access != ACCESS_INTERNAL)
        if not isinstance(found, Principal):
            return _verified(found, request, call, proceed)
        call.principal = found
        return proceed(request, call)


async def _verified(
    finding: Awaitable[Principal], request: Any, call: Call, proceed: Handler
) -> Any:
    call.principal = await finding
    return await proceed(request, call)
