"""A clock in the test's hands, and svc_auth's part in identity behind a real channel."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from google.protobuf.descriptor import ServiceDescriptor

from leaky.auth.v1 import credential_service_pb2, organization_service_pb2
from leaky.auth.v1.credential_service_pb2 import (
    ExchangeApiKeyRequest,
    ExchangeApiKeyResponse,
    GetJwksRequest,
    GetJwksResponse,
    RevocationKind,
    WatchRevocationsRequest,
    WatchRevocationsResponse,
)
from leaky.auth.v1.organization_service_pb2 import GetMembershipRequest, GetMembershipResponse
from leaky.common.v1.reason_pb2 import REASON_INVALID_API_KEY, REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.identity import jose
from mesh.identity.jose import SigningKey
from mesh.rpc.call import Call
from mesh.rpc.dispatcher import Dispatcher, Handler
from mesh.rpc.local_channel import LocalChannel
from mesh.rpc.times import timestamp

NOW_US = 1_700_000_000_000_000


@dataclass
class Hands:
    """Time that passes when the test says so."""

    us: int = NOW_US

    def now_us(self) -> int:
        return self.us

    def monotonic(self) -> float:
        return self.us / 1_000_000

    def forward(self, seconds: float) -> None:
        self.us += int(seconds * 1_000_000)


@dataclass
class Known:
    """An API key as svc_auth knows it."""

    user_id: str
    roles: list[str] = field(default_factory=lambda: ["USER"])
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class Auth:
    """What svc_auth knows and does; `down` makes every call to it fail."""

    clock: Hands
    login: SigningKey
    mesh: SigningKey
    api_keys: dict[str, Known] = field(default_factory=dict)
    members: dict[tuple[str, str], str] = field(default_factory=dict)
    published: list[SigningKey] = field(default_factory=list)
    jwks: bytes | None = None
    down: bool = False
    error: AppError | None = None
    calls: Counter[str] = field(default_factory=Counter)
    seen: list[Call] = field(default_factory=list)
    # What to change in the next exchanged tokens.
    exchanged: dict[str, Any] = field(default_factory=dict)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    streams: list[asyncio.Queue[Any]] = field(default_factory=list)

    def issue(self, text: str, user_id: str, roles: list[str]) -> str:
        """Makes an API key; its id."""
        known = self.api_keys[text] = Known(user_id=user_id, roles=roles)
        return known.id

    def token(self, **changes: Any) -> str:
        return self._sign(self.login, "leaky-api", 3600, changes)

    def access_token(self, *, typ: str = "at+jwt", **changes: Any) -> str:
        """An OAuth2 access token, or with changes something that only looks like one."""
        own = {"iss": "https://auth.example", "client_id": "an-app", "scope": "tokens.read"}
        return self._sign(self.login, "leaky-api", 900, {**own, **changes}, typ=typ)

    def mesh_token(self, known: Known, **changes: Any) -> str:
        own = {"sub": known.user_id, "roles": known.roles, "key_id": known.id}
        return self._sign(self.mesh, "leaky-mesh", 120, {**own, **changes})

    def _sign(
        self,
        key: SigningKey,
        audience: str,
        life: int,
        changes: dict[str, Any],
        *,
        typ: str = "JWT",
    ) -> str:
        now = self.clock.now_us() // 1_000_000
        claims: dict[str, Any] = {
            "iss": "leaky-tokens-auth",
            "aud": audience,
            "sub": "user-1",
            "username": "ada",
            "roles": ["USER"],
            "scope": "tokens.read tokens.write *",
            "iat": now,
            "exp": now + life,
            "jti": str(uuid.uuid4()),
        }
        claims.update(changes)
        present = {name: value for name, value in claims.items() if value is not None}
        return jose.sign(present, key=key, typ=typ)

    def key_set(self) -> bytes:
        keys = [jose.public_jwk(key) for key in (self.login, self.mesh, *self.published)]
        return json.dumps({"keys": keys}).encode()

    def revoke(
        self, kind: RevocationKind.ValueType, subject: str, *, at_us: int = 0, until_us: int = 0
    ) -> None:
        """Also a heartbeat: kind 0 and no subject."""
        message = WatchRevocationsResponse(
            kind=kind, subject=subject, at=timestamp(at_us), until=timestamp(until_us)
        )
        self.streams[-1].put_nowait(message)

    def cut(self) -> None:
        """Ends the newest stream with UNAVAILABLE."""
        self.streams[-1].put_nowait(AppError(REASON_UNAVAILABLE, "gone"))

    async def guard(self, request: Any, call: Call, proceed: Handler) -> Any:
        self.calls[call.method.name] += 1
        self.seen.append(call)
        if self.error is not None:
            raise self.error
        if self.down:
            raise AppError(REASON_UNAVAILABLE, "svc_auth is away")
        return await proceed(request, call)

    def channel(self) -> LocalChannel:
        dispatcher = Dispatcher([self.guard])
        dispatcher.add(CredentialServicer(self))
        dispatcher.add(OrganizationServicer(self))
        return LocalChannel(dispatcher)


class CredentialServicer:
    SERVICE: ClassVar[ServiceDescriptor] = credential_service_pb2.DESCRIPTOR.services_by_name[
        "CredentialService"
    ]

    def __init__(self, auth: Auth) -> None:
        self._auth = auth

    async def exchange_api_key(self, request: ExchangeApiKeyRequest, _: Call) -> Any:
        known = self._auth.api_keys.get(request.api_key)
        if known is None:
            raise AppError(REASON_INVALID_API_KEY, "no such key")
        token = self._auth.mesh_token(known, **self._auth.exchanged)
        await self._auth.open.wait()
        return ExchangeApiKeyResponse(token=token, api_key_id=known.id, user_id=known.user_id)

    async def get_jwks(self, _request: GetJwksRequest, _call: Call) -> GetJwksResponse:
        await self._auth.open.wait()
        jwks = self._auth.jwks
        return GetJwksResponse(jwks=self._auth.key_set() if jwks is None else jwks)

    async def get_user_roles(self, _request: Any, _call: Call) -> Any:
        raise NotImplementedError

    async def watch_revocations(
        self, _request: WatchRevocationsRequest, _call: Call
    ) -> AsyncIterator[WatchRevocationsResponse]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self._auth.streams.append(queue)
        return _drained(queue)


async def _drained(queue: asyncio.Queue[Any]) -> AsyncIterator[WatchRevocationsResponse]:
    while (item := await queue.get()) is not None:
        if isinstance(item, AppError):
            raise item
        yield item


class OrganizationServicer:
    SERVICE: ClassVar[ServiceDescriptor] = organization_service_pb2.DESCRIPTOR.services_by_name[
        "OrganizationService"
    ]

    def __init__(self, auth: Auth) -> None:
        self._auth = auth

    async def get_membership(self, request: GetMembershipRequest, _: Call) -> Any:
        standing = self._auth.members.get((request.org_id, request.user_id), "")
        await self._auth.open.wait()
        return GetMembershipResponse(standing=standing)

    async def _none(self, _request: Any, _call: Call) -> Any:
        raise NotImplementedError

    create_organization = list_organizations = get_organization = rename_organization = _none
    list_members = put_member = set_member_role = delete_member = _none
    leave_organization = transfer_ownership = _none


@pytest.fixture(scope="session")
def login_key() -> SigningKey:
    return jose.generate("RS256")


@pytest.fixture(scope="session")
def mesh_key() -> SigningKey:
    return jose.generate("ES256")


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def auth(clock: Hands, login_key: SigningKey, mesh_key: SigningKey) -> Auth:
    auth = Auth(clock=clock, login=login_key, mesh=mesh_key)
    auth.open.set()
    return auth
