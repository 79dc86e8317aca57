"""Reservations in a client's own hands: retried, doubled, settled late or never."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Protocol

from leaky.token.v1 import metering_service_pb2 as metering
from leaky.token.v1.metering_service_pb2 import BatchReserveRequest, BatchSettleRequest
from mesh.rpc.method import rpc
from tests.simulation.history import Asked, History, Outcome
from tests.simulation.town import Town

TRIES = 4
TTL_SECONDS = 5

_RESERVE = rpc(metering.ReserveRequest, metering.ReserveResponse)
_SETTLE = rpc(metering.SettleRequest, metering.SettleResponse)
_RELEASE = rpc(metering.ReleaseRequest, metering.ReleaseResponse)
_FIND = rpc(metering.GetReservationRequest, metering.GetReservationResponse)
_RESERVE_MANY = rpc(metering.BatchReserveRequest, metering.BatchReserveResponse)
_SETTLE_MANY = rpc(metering.BatchSettleRequest, metering.BatchSettleResponse)


class Owner(Protocol):
    """Whose hold it is."""

    town: Town
    history: History
    user_id: str

    @property
    def random(self) -> Any: ...

    def tokens(self, most: int) -> int: ...

    def payer(self) -> str | None: ...

    async def ask(self, asked: Asked, method: Any, request: Any) -> None: ...


@dataclass(slots=True)
class Hold:
    """One reservation from its beginning to what its owner thinks is its end."""

    owner: Owner
    id: str = ""
    tokens: int = 0
    payer: str | None = None
    provider: str = field(default="openai")

    async def run(self) -> None:
        """Reserves, thinks, and settles or releases; or forgets."""
        random = self.owner.random.random
        number = len(self.owner.history.calls)
        self.id = f"{self.owner.user_id[:8]}-1111-4000-8000-{number:012x}"
        self.tokens, self.payer = self.owner.tokens(80), self.owner.payer()
        if not await self._reserve():
            return
        await asyncio.sleep(random() * (2.0 if random() < 0.7 else 3.0 * TTL_SECONDS))
        fate = random()
        if fate < 0.7:
            used = int(self.tokens * random() * 1.4)
            await self._twice_maybe("settle", used)
        elif fate < 0.85:
            await self._twice_maybe("release", 0)
        if random() < 0.2:
            # A client that has lost count does the other thing as well.
            await self._end("release" if fate < 0.7 else "settle", self.tokens)

    async def _reserve(self) -> bool:
        for _ in range(TRIES):
            asked = self.owner.history.ask("reserve", self.owner.user_id, key=self.id)
            if self.owner.random.random() < 0.2:
                await self._reserve_in_batch(asked)
            else:
                request = metering.ReserveRequest(
                    id=self.id,
                    user_id=self.owner.user_id,
                    org_id=self.payer,
                    provider=self.provider,
                    tokens=self.tokens,
                    ttl_seconds=TTL_SECONDS,
                )
                await self.owner.ask(asked, _RESERVE, request)
            if asked.outcome is not Outcome.UNKNOWN:
                return asked.outcome is Outcome.DONE
        # It may be there all the same.
        return True

    async def _reserve_in_batch(self, asked: Asked) -> None:
        item = BatchReserveRequest.Item(id=self.id, tokens=self.tokens, ttl_seconds=TTL_SECONDS)
        request = BatchReserveRequest(
            user_id=self.owner.user_id, org_id=self.payer, provider=self.provider, items=[item]
        )
        await self.owner.ask(asked, _RESERVE_MANY, request)
        _single(asked, "reserved")

    async def _twice_maybe(self, verb: str, used: int) -> None:
        if self.owner.town.network.chance(self.owner.town.network.faults.duplicate):
            await asyncio.gather(self._end(verb, used), self._end(verb, used))
        else:
            await self._end(verb, used)

    async def _end(self, verb: str, used: int) -> None:
        for _ in range(TRIES):
            asked = self.owner.history.ask(verb, self.owner.user_id, key=self.id, tokens=used)
            if verb == "release":
                release = metering.ReleaseRequest(id=self.id, org_id=self.payer)
                await self.owner.ask(asked, _RELEASE, release)
            else:
                settle = metering.SettleRequest(id=self.id, tokens=used, org_id=self.payer)
                if self.owner.random.random() < 0.2:
                    await self.owner.ask(asked, _SETTLE_MANY, BatchSettleRequest(items=[settle]))
                    _single(asked, "settled")
                else:
                    await self.owner.ask(asked, _SETTLE, settle)
            if asked.outcome is not Outcome.UNKNOWN:
                return


def _single(asked: Asked, name: str) -> None:
    """The outcome of a batch of one is its item's."""
    if asked.outcome is not Outcome.DONE:
        return
    result = asked.answer.results[0]
    if result.WhichOneof("outcome") == name:
        asked.answer = getattr(result, name)
    else:
        # Which refusals promise that nothing happened is not looked at here.
        asked.outcome, asked.reason = Outcome.UNKNOWN, result.refused.message
