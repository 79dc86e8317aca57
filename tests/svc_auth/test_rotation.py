"""Keys rotate and svc_auth restarts while others verify tokens: no good one is refused."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from google.protobuf.descriptor import ServiceDescriptor

from leaky.auth.v1 import credential_service_pb2
from leaky.auth.v1.credential_service_pb2 import GetJwksResponse
from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.clock import RandomIds
from mesh.errors import AppError
from mesh.identity.bearer import Bearer
from mesh.identity.jwks import REFRESH_SECONDS, KeySet
from mesh.rpc.call import Call
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.local_channel import LocalChannel
from svc_auth.crypto.keyring import Keyring, Lifetimes, open_keyring
from svc_auth.crypto.oauth_tokens import OAuthMinter
from svc_auth.crypto.tokens import Minter
from svc_auth.crypto.vault import Vault
from svc_auth.domain.claims import Subject
from svc_auth.domain.oauth2.grant import Grant
from svc_auth.domain.user import User
from svc_auth.settings import ClientJwt
from svc_auth.stores.stores import AuthStores
from svc_auth.workers.key_rotation import Rotating

pytestmark = pytest.mark.anyio
SECOND = 1_000_000
LIFETIMES = Lifetimes(
    tokens={"RS256": 1500 * SECOND, "ES256": 120 * SECOND}, publish_before=600 * SECOND
)
ISSUER = "https://auth.example"
EVERY = 2700 * SECOND
GRANT = Grant(
    id="g",
    client_id="an-app",
    user_id="a",
    scopes=("openid",),
    redirect_uri="https://app.example/callback",
    auth_time=1,
    created_at=1,
    ends_at=2,
)
ALICE = User(id="a", username="alice", email="a@b", roles=("USER",), created_at=1)


@dataclass
class SvcAuth:
    """What signs, and tells its keys; `ring` is None while it is down."""

    SERVICE: ClassVar[ServiceDescriptor] = credential_service_pb2.DESCRIPTOR.services_by_name[
        "CredentialService"
    ]
    store: AuthStores
    clock: Any
    ring: Keyring | None = None
    rotations: set[str] = field(default_factory=set)

    async def start(self) -> None:
        vault = Vault("a secret of the tests")
        self.ring = await open_keyring(self.store.signing_keys, vault, self.clock, LIFETIMES)

    async def look(self) -> None:
        """What its worker does."""
        if self.ring is not None:
            await Rotating(self.ring, every=EVERY, look_seconds=30).look()
            self.rotations |= {self.ring.session.kid}

    async def get_jwks(self, _request: Any, _call: Call) -> GetJwksResponse:
        if self.ring is None:
            raise AppError(REASON_UNAVAILABLE, "restarting")
        return GetJwksResponse(jwks=self.ring.jwks)

    async def unused(self, _request: Any, _call: Call) -> Any:
        raise NotImplementedError

    exchange_api_key = get_user_roles = watch_revocations = unused

    def signed(self) -> Sequence[tuple[str, int]]:
        """One token of each kind, and when it ends."""
        if self.ring is None:
            return ()
        at = self.clock.now
        plain = Minter(keyring=self.ring, jwt=lambda: ClientJwt(expiry=1500.0), ids=RandomIds())
        subject = Subject(user_id="a", username="alice", roles=("USER",))
        oauth = OAuthMinter(
            keyring=self.ring,
            issuer=lambda: ISSUER,
            lifetime=lambda: 900 * SECOND,
            clock=self.clock,
            ids=RandomIds(),
        )
        tokens = [
            plain.session(subject, at=at),
            plain.mesh(subject, at=at, not_after=None),
            oauth.for_user(ALICE, GRANT, ["openid"], at=at).token,
        ]
        return [(token.text, token.expires_at) for token in tokens]


@dataclass
class Gateway:
    """Somebody who verifies, with a key set that a worker keeps fresh."""

    keys: KeySet
    bearer: Bearer
    next_refresh: float = 0.0

    async def refresh(self, now: float) -> None:
        """What its worker does; a failed fetch is tried again soon."""
        if now >= self.next_refresh:
            await self.keys._flights.join("jwks", self.keys._fetch)
            self.next_refresh = now + (2.0 if self.keys._failed else REFRESH_SECONDS)


def gateway(auth: SvcAuth, clock: Any) -> Gateway:
    dispatcher = Dispatcher([])
    dispatcher.add(auth)
    keys = KeySet(channel=LocalChannel(dispatcher), clock=clock)
    bearer = Bearer(keys=keys, issuer=ClientJwt().issuer, oauth_issuer=ISSUER, clock=clock)
    return Gateway(keys=keys, bearer=bearer)


async def test_no_good_token_is_refused_over_rotations_and_restarts(
    store: AuthStores, clock: Any
) -> None:
    instances = [SvcAuth(store=store, clock=clock) for _ in range(2)]
    for each in instances:
        await each.start()
    gateways = [gateway(each, clock) for each in instances]
    alive: list[tuple[str, int]] = []
    verified = 0
    # Three hours by the minute; an instance is down for two of them, in turn.
    for step in range(180):
        for number, each in enumerate(instances):
            if step % 24 == 12 * number + 6:
                each.ring = None
            elif step % 24 == 12 * number + 8:
                await each.start()
            await each.look()
        for each_gateway in gateways:
            await each_gateway.refresh(clock.monotonic())
        alive = [(text, ends) for text, ends in alive if ends > clock.now]
        if step % 5 == 0:
            alive += [token for each in instances for token in each.signed()]
        for text, _ in alive[step % 3 :: 3]:
            for each_gateway in gateways:
                await each_gateway.bearer.principal(text)
                verified += 1
        clock.now += 60 * SECOND
    assert verified > 1_000
    # Three rotations at the least, or nothing has been tried.
    assert len(set.union(*(each.rotations for each in instances))) >= 4
    kept = await store.signing_keys.signing_keys()
    assert len(kept) < 10


async def test_the_worker_looks_until_it_is_cancelled_and_outlives_an_outage(
    store: AuthStores, clock: Any
) -> None:
    looks = 0
    ring = await open_keyring(store.signing_keys, Vault("a secret of the tests"), clock, LIFETIMES)

    async def away() -> None:
        raise AppError(REASON_UNAVAILABLE, "the database is away")

    async def sleep(seconds: float) -> None:
        nonlocal looks
        assert seconds == 30
        looks += 1
        if looks == 1:
            ring.refresh = away  # type: ignore[method-assign]
        if looks == 2:
            del ring.refresh
            clock.now += EVERY
        if looks == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Rotating(ring, every=EVERY, look_seconds=30, sleep=sleep).run()
    assert [life.generation for life in ring.lives] == [1, 2, 1, 2]
