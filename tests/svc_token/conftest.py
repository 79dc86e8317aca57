"""svc_token's use cases over a real database; time, users and providers are set by hand."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from leaky.common.v1.reason_pb2 import REASON_PROVIDER_CALL_FAILED, REASON_UNAVAILABLE
from mesh.clock import RandomIds
from mesh.errors import AppError, CommitUnknownError
from mesh.finisher import Finisher
from mesh.identity.principal import Principal
from mesh.settings import Live
from svc_token.domain.events import OutboxRow
from svc_token.domain.operations import Operation
from svc_token.domain.owner import Owner, PoolKey
from svc_token.domain.pool import Pool
from svc_token.domain.reservation import Reservation
from svc_token.domain.spend import Spend
from svc_token.limits import LiveLimits
from svc_token.metrics import declare
from svc_token.ports import Ledger, RefusedTopicsError, RejectedBatchError
from svc_token.settings import TokenSettings
from svc_token.stores import SCHEMAS, TOKEN_STORES
from svc_token.stores.buckets_memory import MemoryBuckets
from svc_token.stores.denied_queue import DeniedQueue
from svc_token.stores.stores import TokenStores
from svc_token.stores.topics import Topics
from svc_token.usecases.ask_bucket import AskBucket
from svc_token.usecases.consume import Consume
from svc_token.usecases.end_later import EndLater
from svc_token.usecases.hold_tokens import HoldTokens
from svc_token.usecases.once import Once
from svc_token.usecases.owner_roles import OwnerRoles
from svc_token.usecases.reserve import ReserveTokens
from svc_token.usecases.tell_later import TellLater
from tests.parts.postgresql import store_url
from tests.parts.urls import POSTGRESQL, backends

# 2023-11-14T22:13:20.123456Z
NOW_US = 1_700_000_000_123_456
TOPICS = Topics(usage="token-usage", purchases="token-purchase-events")
USER = "aaaaaaaa-0000-4000-8000-000000000000"
OTHER = "bbbbbbbb-0000-4000-8000-000000000000"
ORG = "cccccccc-0000-4000-8000-000000000000"
ANSWER = b'{"id":"1", "message":"Stubbed OpenAI response"}'


@dataclass
class HandClock:
    now: int = NOW_US

    def now_us(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1_000_000

    def pass_seconds(self, seconds: float) -> None:
        self.now += int(seconds * 1_000_000)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@dataclass
class FakeProviders:
    """Answers, fails, or keeps everyone waiting until it is let go."""

    fails: bool = False
    gate: asyncio.Event | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def complete(
        self, provider: str, *, prompt: str | None, tokens: int, request_id: str
    ) -> bytes:
        asked = {"provider": provider, "prompt": prompt, "tokens": tokens, "id": request_id}
        self.asked.append(asked)
        self.reached.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.fails:
            raise AppError(REASON_PROVIDER_CALL_FAILED, "provider call failed")
        return ANSWER


@dataclass
class FakeRoles:
    """What svc_auth would say of users."""

    known: dict[str, frozenset[str]] = field(default_factory=dict)
    away: bool = False
    asked: list[str] = field(default_factory=list)

    async def of(self, user_id: str) -> frozenset[str]:
        self.asked.append(user_id)
        if self.away:
            raise AppError(REASON_UNAVAILABLE, "svc_auth is away")
        return self.known.get(user_id, frozenset())


@dataclass
class FlakyLedger:
    """The real ledger behind a line that may be cut; `cut` names the operations that fail.

    Those that `lost` names are done, and nobody is told.
    """

    inner: Ledger
    cut: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)

    async def submit(self, operation: Operation) -> Reservation | None:
        name = type(operation).__name__
        self.tried.append(name)
        if self.cut.get(name, 0) > 0:
            self.cut[name] -= 1
            raise AppError(REASON_UNAVAILABLE, "the database is away")
        done = await self.inner.submit(operation)
        if self.lost.get(name, 0) > 0:
            self.lost[name] -= 1
            raise CommitUnknownError(REASON_UNAVAILABLE, "the database is away")
        return done


@dataclass
class Receiver:
    """Where events arrive; may be away, refuse what is poisoned, or have not all topics."""

    away: bool = False
    poison: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    calls: int = 0
    taken: list[OutboxRow] = field(default_factory=list)

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        self.calls += 1
        if self.away:
            raise AppError(REASON_UNAVAILABLE, "analytics is away")
        if refused := self.missing & {row.topic for row in rows}:
            raise RefusedTopicsError(refused)
        if any(row.event_id in self.poison for row in rows):
            raise RejectedBatchError
        self.taken += rows

    def messages(self) -> list[Any]:
        return [orjson.loads(row.payload) for row in self.taken]


@dataclass
class House:
    """Consume and all that it stands on."""

    stores: TokenStores
    settings: Live[TokenSettings]
    clock: HandClock
    finisher: Finisher
    providers: FakeProviders = field(default_factory=FakeProviders)
    roles: FakeRoles = field(default_factory=FakeRoles)
    receiver: Receiver = field(default_factory=Receiver)
    ids: RandomIds = field(default_factory=RandomIds)

    def __post_init__(self) -> None:
        declare(self.settings.current.providers)
        self.limits = LiveLimits(self.settings)
        self.ledger = FlakyLedger(self.stores.ledger)
        self.buckets = MemoryBuckets(self.clock, 6 * 3_600_000_000)
        self.denied = DeniedQueue(self.receiver, TOPICS)
        self.owner_roles = OwnerRoles(roles=self.roles)
        self.ask_bucket = AskBucket(buckets=self.buckets, limits=self.limits, clock=self.clock)
        self.tell_later = TellLater(
            ledger=self.ledger, clock=self.clock, finisher=self.finisher, most=100
        )
        self.hold_tokens = HoldTokens(
            ledger=self.ledger,
            limits=self.limits,
            clock=self.clock,
            ids=self.ids,
            end_later=EndLater(ledger=self.ledger, finisher=self.finisher),
            tell_later=self.tell_later,
        )
        self.reserve = ReserveTokens(
            ask_bucket=self.ask_bucket,
            hold_tokens=self.hold_tokens,
            denied=self.denied,
            limits=self.limits,
            owner_roles=self.owner_roles,
            clock=self.clock,
            ids=self.ids,
        )
        self.once = self.process()
        self.consume = Consume(
            reserve=self.reserve,
            hold_tokens=self.hold_tokens,
            providers=self.providers,
            limits=self.limits,
            clock=self.clock,
            ids=self.ids,
            finisher=self.finisher,
            once=self.once,
        )

    def process(self) -> Once:
        """Those who share it are in one process, as far as idempotency keys can tell."""
        return Once(
            keys=self.stores.keys,
            limits=self.limits,
            clock=self.clock,
            ids=self.ids,
            finisher=self.finisher,
        )

    def apply(self, **settings: str) -> None:
        """Live settings, with _ for . and __ for -."""
        self.settings.apply(
            {name.replace("__", "-").replace("_", "."): value for name, value in settings.items()}
        )

    async def pool(self, org_id: str | None = None, *, user_id: str = USER) -> Pool | None:
        return await self.stores.pools.find(PoolKey(Owner.of(user_id, org_id), "openai"))

    async def left(self, org_id: str | None = None) -> int:
        pool = await self.pool(org_id)
        assert pool is not None
        return pool.remaining

    async def used(self, user_id: str = USER, roles: frozenset[str] = frozenset()) -> int:
        """Tokens in the user's bucket."""
        rule = self.limits.bucket(roles, "openai")
        return (await self.buckets.peek(spend(user_id=user_id).bucket, rule)).used

    async def held(self) -> int:
        """How many holds have not ended."""
        return len(await self.stores.pools.orphans(2**62, 1000))

    async def told(self) -> list[Any]:
        """The messages in the outbox."""
        return [orjson.loads(row.payload) for row in await self.stores.outbox.pending(1000)]

    async def denials(self) -> list[Any]:
        """The events of refusals."""
        while await self.denied.flush():
            pass
        return self.receiver.messages()


def spend(
    *,
    user_id: str = USER,
    org_id: str | None = None,
    provider: str = "openai",
    tokens: int = 10,
    prompt: str | None = None,
) -> Spend:
    return Spend(user_id=user_id, org_id=org_id, provider=provider, tokens=tokens, prompt=prompt)


def principal(user_id: str = USER, *roles: str) -> Principal:
    return Principal(user_id=user_id, roles=frozenset(roles or {"USER"}), token="t")


@asynccontextmanager
async def house_in(folder: Path, url: str, clock: HandClock, **env: str) -> AsyncIterator[House]:
    settings = Live.read(TokenSettings, {"LEAKY_DATA": str(folder), **env})
    async with TOKEN_STORES.open(url, topics=TOPICS) as stores, Finisher().closing() as finisher:
        yield House(stores=stores, settings=settings, clock=clock, finisher=finisher)


@pytest.fixture(params=backends("sqlite", postgresql=POSTGRESQL))
async def house(
    request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock
) -> AsyncIterator[House]:
    url = await store_url(request.param, tmp_path, "token", SCHEMAS)
    async with house_in(tmp_path, url, clock) as built:
        yield built
