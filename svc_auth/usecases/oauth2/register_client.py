"""Registers clients."""

from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_OAUTH_CLIENT_EXISTS
from mesh.clock import Clock
from mesh.errors import AppError, invalid
from svc_auth.domain.audit import Action
from svc_auth.domain.caller import Caller
from svc_auth.domain.oauth2.audit import client_entry
from svc_auth.domain.oauth2.client import GrantType, OAuthClient, client_problem
from svc_auth.domain.oauth2.playground import PLAYGROUND
from svc_auth.domain.record import Record
from svc_auth.ports import Opaque
from svc_auth.ports_oauth2 import OAuthClients, Registered


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What somebody wants to register; an empty `client_id` has one made."""

    client_id: str
    name: str
    public: bool
    redirect_uris: tuple[str, ...]
    scopes: tuple[str, ...]
    grant_types: tuple[str, ...]
    require_pkce: bool
    post_logout_redirect_uris: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterClient:
    """Stores a client; its secret leaves once and is kept as a hash alone."""

    clients: OAuthClients
    opaque: Opaque
    clock: Clock

    async def __call__(
        self, caller: Caller, wanted: Registration
    ) -> tuple[OAuthClient, str | None]:
        """The client and its secret; AppError for bad input or an id that is taken."""
        client = OAuthClient(
            id=wanted.client_id or _made(self.opaque.hash(self.opaque.new_secret())),
            name=wanted.name,
            confidential=not wanted.public,
            redirect_uris=wanted.redirect_uris,
            scopes=wanted.scopes,
            grant_types=_grant_types(wanted),
            require_pkce=wanted.require_pkce,
            created_at=self.clock.now_us(),
            post_logout_redirect_uris=wanted.post_logout_redirect_uris,
        )
        problem = client_problem(client)
        if problem is not None:
            raise invalid(problem.field, problem.message)
        secret = self.opaque.new_secret() if client.confidential else None
        secret_hash = self.opaque.hash(secret) if secret else None
        registered = Registered(client=client, secret_hash=secret_hash)
        entry = client_entry(caller, Action.OAUTH_CLIENT_CREATED, client.id, at=client.created_at)
        if client.id == PLAYGROUND.id or not await self.clients.add_client(
            registered, Record(entry=entry)
        ):
            raise AppError(REASON_OAUTH_CLIENT_EXISTS, "a client with this id exists")
        return client, secret


def _grant_types(wanted: Registration) -> tuple[GrantType, ...]:
    try:
        given = tuple(GrantType(word) for word in wanted.grant_types)
    except ValueError:
        raise invalid("grant_types", f"must be of {', '.join(GrantType)}") from None
    return given or (GrantType.AUTHORIZATION_CODE,)


def _made(digits: str) -> str:
    # The letter keeps it from being a number, its length from being guessed.
    return f"client-{digits[:20]}"
