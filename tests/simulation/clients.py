"""People: several users and an organisation, who ask again, ask twice and walk away."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from leaky.token.v1 import consume_service_pb2 as consume
from leaky.token.v1 import purchase_service_pb2 as purchase
from leaky.token.v1 import quota_service_pb2 as quota
from mesh.errors import AppError
from mesh.rpc.method import rpc
from tests.simulation.history import Asked, History, Outcome, outcome_of
from tests.simulation.loop import Process
from tests.simulation.network import LostError
from tests.simulation.town import CALLER, Town

USERS = tuple(f"{letter * 8}-0000-4000-8000-000000000000" for letter in "abcd")
ORG = "99999999-0000-4000-8000-000000000000"
PROVIDERS = ("openai", "qwen")
PATIENCE = 6.0
TRIES = 4

_CONSUME = rpc(consume.ConsumeRequest, consume.ConsumeResponse)
_LIMIT = rpc(consume.GetRateLimitRequest, consume.GetRateLimitResponse)
_BUY = rpc(purchase.CreatePurchaseRequest, purchase.CreatePurchaseResponse)
_FIND = rpc(purchase.GetPurchaseRequest, purchase.GetPurchaseResponse)
_QUOTA = rpc(quota.GetQuotaRequest, quota.GetQuotaResponse)
_OPEN = rpc(quota.CreateOrgQuotaRequest, quota.CreateOrgQuotaResponse)
_ADJUST = rpc(quota.UpdateOrgQuotaRequest, quota.UpdateOrgQuotaResponse)


@dataclass(slots=True)
class Client:
    """One person, who does one thing after another."""

    town: Town
    history: History
    user_id: str
    process: Process = field(default_factory=lambda: Process("client"))
    keys: list[tuple[str, Any]] = field(default_factory=list)
    bought: list[str] = field(default_factory=list)

    async def run(self, operations: int) -> None:
        """So many operations."""
        verbs: tuple[tuple[int, Callable[[], Awaitable[None]]], ...] = (
            (50, self.consume),
            (14, self.buy),
            (4, self.buy_again),
            (6, self.look),
            (3, self.look_at_purchase),
            (3, self.look_at_bucket),
            (3, self.open),
            (3, self.adjust),
        )
        weights = [weight for weight, _ in verbs]
        for _ in range(operations):
            verb = self._random.choices(verbs, weights)[0][1]
            await verb()
            await asyncio.sleep(self._random.random() * 0.6)

    @property
    def _random(self) -> Any:
        return self.town.loop.random

    async def consume(self) -> None:
        """Spends, on the own account or the organisation's."""
        asked = self.history.ask("consume", self.user_id, tokens=self._tokens(60))
        request = consume.ConsumeRequest(
            user_id=self.user_id,
            provider=self._random.choice(PROVIDERS),
            tokens=asked.tokens,
            prompt=str(asked.number),
        )
        if self._random.random() < 0.3:
            request.org_id = ORG
        await self._ask(asked, _CONSUME, request)

    async def buy(self) -> None:
        """A purchase, asked for until it is known, now and then by two at once."""
        key = f"{self.user_id[:4]}-{len(self.history.calls)}"
        request = purchase.CreatePurchaseRequest(
            user_id=self.user_id,
            provider=self._random.choice(PROVIDERS),
            tokens=self._tokens(150),
            idempotency_key=key,
        )
        if self._random.random() < 0.3:
            request.org_id = ORG
        self.keys.append((key, request))
        if self.town.network.chance(self.town.network.faults.duplicate):
            await asyncio.gather(self._buy(key, request), self._buy(key, request))
        else:
            await self._buy(key, request)

    async def buy_again(self) -> None:
        """An old purchase, under its old key."""
        if self.keys:
            await self._buy(*self._random.choice(self.keys))

    async def _buy(self, key: str, request: Any) -> None:
        for _ in range(TRIES):
            asked = self.history.ask("buy", self.user_id, key=key, tokens=request.tokens)
            await self._ask(asked, _BUY, request)
            if asked.outcome is Outcome.DONE:
                self.bought.append(asked.answer.saga_id)
            if asked.outcome is not Outcome.UNKNOWN:
                return

    async def look(self) -> None:
        """At a pool."""
        asked = self.history.ask("look", self.user_id)
        provider = self._random.choice(PROVIDERS)
        request = quota.GetQuotaRequest(user_id=self.user_id, provider=provider)
        await self._ask(asked, _QUOTA, request)

    async def look_at_purchase(self) -> None:
        """That was begun before."""
        if self.bought:
            asked = self.history.ask("find", self.user_id)
            request = purchase.GetPurchaseRequest(saga_id=self._random.choice(self.bought))
            await self._ask(asked, _FIND, request)

    async def look_at_bucket(self) -> None:
        """How full it is."""
        asked = self.history.ask("limit", self.user_id)
        request = consume.GetRateLimitRequest(user_id=self.user_id, provider="openai")
        await self._ask(asked, _LIMIT, request)

    async def open(self) -> None:
        """The organisation's pool."""
        asked = self.history.ask("open", self.user_id, tokens=self._tokens(800))
        provider = self._random.choice(PROVIDERS)
        request = quota.CreateOrgQuotaRequest(
            org_id=ORG, provider=provider, total_tokens=asked.tokens
        )
        await self._ask(asked, _OPEN, request)

    async def adjust(self) -> None:
        """The organisation's allowance."""
        asked = self.history.ask("adjust", self.user_id, tokens=self._tokens(800))
        provider = self._random.choice(PROVIDERS)
        request = quota.UpdateOrgQuotaRequest(
            org_id=ORG, provider=provider, total_tokens=asked.tokens
        )
        await self._ask(asked, _ADJUST, request)

    def _tokens(self, most: int) -> int:
        return int(1 + self._random.random() * most)

    async def _ask(self, asked: Asked, method: Any, request: Any) -> None:
        """Asks some instance, and writes down what became of it."""
        network = self.town.network
        patience = PATIENCE
        if network.chance(network.faults.abandon):
            patience = 0.001 + self._random.random() * 0.3
        metadata = {CALLER: self.user_id}
        instance = self._random.choice(self.town.instances) if self.town.instances else None

        async def handler() -> Any:
            if instance is None or instance.channel is None:
                raise LostError("svc_token")
            return await instance.channel.unary(
                method, request, timeout=patience, metadata=metadata
            )

        to = instance.process if instance else self.process
        try:
            asked.answer = await network.call(to, method.name, handler, timeout=patience)
            asked.outcome = Outcome.DONE
        except AppError as error:
            asked.outcome, asked.reason = outcome_of(error), error.outcome.name
        self.town.trace("told", asked.number, asked.verb, asked.outcome, asked.reason)
