"""People: several users and an organisation, who ask again, ask twice and walk away."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from leaky.token.v1 import consume_service_pb2 as consuming
from leaky.token.v1 import member_cap_service_pb2 as member_cap
from leaky.token.v1 import purchase_service_pb2 as purchase
from leaky.token.v1 import quota_service_pb2 as quota
from mesh.errors import AppError
from mesh.rpc.method import rpc
from tests.simulation.history import Asked, History, Outcome, outcome_of
from tests.simulation.holds import Hold
from tests.simulation.loop import Process
from tests.simulation.network import LostError
from tests.simulation.town import CALLER, Town

USERS = tuple(f"{letter * 8}-0000-4000-8000-000000000000" for letter in "abcd")
ORG = "99999999-0000-4000-8000-000000000000"
PROVIDERS = ("openai", "qwen")
# The verb, the method, the key and the request.
Order = tuple[str, Any, str, Any]
PATIENCE = 4.5
TRIES = 4

_CONSUME = rpc(consuming.ConsumeRequest, consuming.ConsumeResponse)
_LIMIT = rpc(consuming.GetRateLimitRequest, consuming.GetRateLimitResponse)
_BUY = rpc(purchase.CreatePurchaseRequest, purchase.CreatePurchaseResponse)
_FIND = rpc(purchase.GetPurchaseRequest, purchase.GetPurchaseResponse)
_QUOTA = rpc(quota.GetQuotaRequest, quota.GetQuotaResponse)
_OPEN = rpc(quota.CreateOrgQuotaRequest, quota.CreateOrgQuotaResponse)
_CAP = rpc(member_cap.SetMemberCapRequest, member_cap.SetMemberCapResponse)
_UNCAP = rpc(member_cap.RemoveMemberCapRequest, member_cap.RemoveMemberCapResponse)
_ADJUST = rpc(quota.UpdateOrgQuotaRequest, quota.UpdateOrgQuotaResponse)


@dataclass(slots=True)
class Client:
    """One person, who does one thing after another."""

    town: Town
    history: History
    user_id: str
    process: Process = field(default_factory=lambda: Process("client"))
    orders: list[Order] = field(default_factory=list)
    doubtful: list[Order] = field(default_factory=list)
    bought: list[str] = field(default_factory=list)

    async def run(self, operations: int) -> None:
        """So many operations."""
        verbs: tuple[tuple[int, Callable[[], Awaitable[None]]], ...] = (
            (34, self.consume),
            (8, self.consume_under_key),
            (16, self.hold),
            (10, self.buy),
            (4, self.order_again),
            (4, self.look),
            (2, self.look_at_purchase),
            (2, self.look_at_bucket),
            (3, self.open),
            (3, self.adjust),
            (2, self.cap),
        )
        weights = [weight for weight, _ in verbs]
        async with asyncio.TaskGroup() as group:
            for _ in range(operations):
                verb = self.random.choices(verbs, weights)[0][1]
                if verb == self.hold:
                    # It lasts, and other things are done meanwhile.
                    group.create_task(verb())
                else:
                    await verb()
                await asyncio.sleep(self.random.random() * 0.6)

    async def found(self) -> None:
        """The organisation, with a bound for somebody: what comes first in its life."""
        await self.open()
        await self.open()
        await self.cap()
        await self.cap()

    @property
    def random(self) -> Any:
        """The seed's."""
        return self.town.loop.random

    async def hold(self) -> None:
        """Tokens held under an id of one's own."""
        await Hold(self).run()

    async def consume(self) -> None:
        """Spends, on the own account or the organisation's."""
        asked = self.history.ask("consume", self.user_id)
        await self.ask(asked, _CONSUME, self._spend(asked.prompt))

    async def consume_under_key(self) -> None:
        """The same, for sure and once."""
        key = self._key()
        await self._order("consume", _CONSUME, key, self._spend(f"{self.user_id[:4]} {key}", key))

    def _spend(self, prompt: str, key: str | None = None) -> consuming.ConsumeRequest:
        return consuming.ConsumeRequest(
            user_id=self.user_id,
            org_id=self.payer(),
            provider=self.random.choice(PROVIDERS),
            tokens=self.tokens(60),
            prompt=prompt,
            idempotency_key=key,
        )

    async def buy(self) -> None:
        """A purchase."""
        key = self._key()
        request = purchase.CreatePurchaseRequest(
            user_id=self.user_id,
            org_id=self.payer(),
            provider=self.random.choice(PROVIDERS),
            tokens=self.tokens(150),
            idempotency_key=key,
        )
        await self._order("buy", _BUY, key, request)

    async def open(self) -> None:
        """The organisation's pool."""
        key = self._key()
        request = quota.CreateOrgQuotaRequest(
            org_id=ORG,
            provider=self.random.choice(PROVIDERS),
            total_tokens=self.tokens(800),
            idempotency_key=key,
        )
        await self._order("open", _OPEN, key, request)

    async def order_again(self) -> None:
        """What was ordered before, under its old key; first what had no answer at once."""
        if self.doubtful:
            await self._insist(*self.doubtful.pop(0))
        elif self.orders:
            await self._insist(*self.random.choice(self.orders))

    async def _order(self, verb: str, method: Any, key: str, request: Any) -> None:
        """Asked for until it is known, now and then by two at once."""
        order = (verb, method, key, request)
        self.orders.append(order)
        if self.town.network.chance(self.town.network.faults.duplicate):
            await asyncio.gather(self._insist(*order), self._insist(*order))
        else:
            await self._insist(*order)

    async def _insist(self, verb: str, method: Any, key: str, request: Any) -> None:
        for _ in range(TRIES):
            asked = self.history.ask(verb, self.user_id, key=key)
            await self.ask(asked, method, request)
            if asked.outcome is Outcome.DONE and verb == "buy":
                self.bought.append(asked.answer.saga_id)
            if asked.outcome is not Outcome.UNKNOWN:
                return
            self.doubtful.append((verb, method, key, request))

    async def look(self) -> None:
        """At a pool."""
        asked = self.history.ask("look", self.user_id)
        provider = self.random.choice(PROVIDERS)
        request = quota.GetQuotaRequest(user_id=self.user_id, provider=provider)
        await self.ask(asked, _QUOTA, request)

    async def look_at_purchase(self) -> None:
        """That was begun before."""
        if self.bought:
            asked = self.history.ask("find", self.user_id)
            request = purchase.GetPurchaseRequest(saga_id=self.random.choice(self.bought))
            await self.ask(asked, _FIND, request)

    async def look_at_bucket(self) -> None:
        """How full it is."""
        asked = self.history.ask("limit", self.user_id)
        request = consuming.GetRateLimitRequest(user_id=self.user_id, provider="openai")
        await self.ask(asked, _LIMIT, request)

    async def adjust(self) -> None:
        """The organisation's allowance."""
        asked = self.history.ask("adjust", self.user_id)
        request = quota.UpdateOrgQuotaRequest(
            org_id=ORG, provider=self.random.choice(PROVIDERS), total_tokens=self.tokens(800)
        )
        await self.ask(asked, _ADJUST, request)

    async def cap(self) -> None:
        """What one member may take of it, or that there is no such bound."""
        asked = self.history.ask("cap", self.user_id)
        member = {
            "org_id": ORG,
            "user_id": self.random.choice(USERS),
            "provider": self.random.choice(PROVIDERS),
        }
        if self.random.random() < 0.25:
            await self.ask(asked, _UNCAP, member_cap.RemoveMemberCapRequest(**member))
        else:
            request = member_cap.SetMemberCapRequest(**member, max_tokens=self.tokens(200))
            await self.ask(asked, _CAP, request)

    def tokens(self, most: int) -> int:
        """At least one."""
        return int(1 + self.random.random() * most)

    def payer(self) -> str | None:
        """The organisation, or oneself."""
        return ORG if self.random.random() < 0.3 else None

    def _key(self) -> str:
        return f"{self.user_id[:4]}-{len(self.history.calls)}"

    async def ask(self, asked: Asked, method: Any, request: Any) -> None:
        """Asks some instance, and writes down what became of it."""
        network = self.town.network
        patience = PATIENCE
        if network.chance(network.faults.abandon):
            patience = 0.001 + self.random.random() * 0.3
        metadata = {CALLER: self.user_id}
        instance = self.random.choice(self.town.instances) if self.town.instances else None

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
