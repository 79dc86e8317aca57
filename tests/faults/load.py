"""Consumers: what they ask for is the seed's choice, what becomes of it goes into the history."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from google.protobuf.message import Message

from leaky.token.v1.consume_service_pb2 import ConsumeRequest, ConsumeResponse
from leaky.token.v1.metering_service_pb2 import (
    ReleaseRequest,
    ReleaseResponse,
    ReserveRequest,
    ReserveResponse,
    SettleRequest,
    SettleResponse,
)
from leaky.token.v1.purchase_service_pb2 import CreatePurchaseRequest, CreatePurchaseResponse
from tests.faults.doors import Door, insist
from tests.faults.history import History, Kind, Op, Outcome

SPACE = UUID("8f0c8d9e-5e1f-4a55-9b3e-0d1c2b3a4f5e")
PROVIDER = "openai"
USERS = 24
MOST_TOKENS = 20
MOST_BOUGHT = 60
TRIES = 3
# Of a reservation.
TTL_SECONDS = 2


class End(StrEnum):
    """What becomes of a reservation; one that is left is the sweeper's."""

    SETTLE = "settle"
    RELEASE = "release"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One thing that a consumer wants; `doors` in the order in which they are tried.

    `used` is what a reservation is settled with, now and then more than it holds.
    """

    kind: Kind
    ref: str
    user_id: str
    tokens: int
    doors: tuple[int, ...]
    twice: bool
    keyed: bool
    end: End
    used: int


def wishes(seed: str, doors: int) -> Iterator[Wish]:
    """Without end, and the same for the same seed."""
    choice = random.Random(seed)  # noqa: S311 no secret
    users = [str(uuid5(SPACE, f"{seed}/user/{number}")) for number in range(USERS)]
    number = 0
    while True:
        number += 1
        kind = choice.choices([Kind.CONSUME, Kind.RESERVE, Kind.PURCHASE], [5, 4, 1])[0]
        order = list(range(doors))
        choice.shuffle(order)
        tokens = choice.randint(1, MOST_BOUGHT if kind is Kind.PURCHASE else MOST_TOKENS)
        yield Wish(
            kind=kind,
            ref=str(uuid5(SPACE, f"{seed}/{number}")),
            user_id=choice.choice(users),
            tokens=tokens,
            doors=tuple(order),
            twice=choice.random() < 0.2,
            keyed=choice.random() < 0.5,
            end=choice.choices(list(End), [7, 2, 1])[0],
            used=choice.randint(0, tokens + tokens // 10),
        )


@dataclass(slots=True, kw_only=True)
class Load:
    """Callers, `width` at once."""

    doors: Sequence[Door]
    history: History
    seed: str
    heard: Callable[[int], None] = lambda _count: None
    count: int = 0
    _wishes: Iterator[Wish] | None = field(default=None)

    async def run(self, ops: int, width: int) -> None:
        """Returns after that many operations more."""
        if self._wishes is None:
            self._wishes = wishes(self.seed, len(self.doors))
        last = self.count + ops
        async with asyncio.TaskGroup() as tasks:
            for _ in range(width):
                tasks.create_task(self._until(last))

    async def _until(self, last: int) -> None:
        assert self._wishes is not None
        while self.count < last:
            wish = next(self._wishes)
            await self._wished[wish.kind](wish)

    @property
    def _wished(self) -> Mapping[Kind, Callable[[Wish], Awaitable[None]]]:
        return {
            Kind.CONSUME: self._consume,
            Kind.RESERVE: self._reserve,
            Kind.PURCHASE: self._purchase,
        }

    async def _ask(
        self, wish: Wish, request: Message, answer: type[Any], *, tries: int, first: int = 0
    ) -> tuple[Outcome, Mapping[str, Any], str]:
        """What is known after so many tries, at one door after the other."""

        async def ask(attempt: int) -> Mapping[str, Any]:
            ways = [door for door in wish.doors if self.doors[door].takes(request)]
            return await self.doors[ways[(first + attempt) % len(ways)]].ask(request, answer)

        return await insist(ask, tries)

    def _add(self, wish: Wish, kind: Kind, outcome: Outcome, why: str, **more: Any) -> None:
        told = {"tokens": wish.tokens, **more}
        self.history.add(
            Op(kind=kind, user_id=wish.user_id, ref=wish.ref, outcome=outcome, why=why, **told)
        )
        self.count += 1
        self.heard(self.count)

    async def _consume(self, wish: Wish) -> None:
        request = ConsumeRequest(
            user_id=wish.user_id, provider=PROVIDER, tokens=wish.tokens, prompt=wish.ref
        )
        # Without a key it is asked for once: again, it is another one.
        tries = 1
        if wish.keyed:
            request.idempotency_key, tries = wish.ref, TRIES
        outcome, _, why = await self._ask(wish, request, ConsumeResponse, tries=tries)
        self._add(wish, Kind.CONSUME, outcome, why, keyed=wish.keyed)

    async def _reserve(self, wish: Wish) -> None:
        request = ReserveRequest(
            id=wish.ref,
            user_id=wish.user_id,
            provider=PROVIDER,
            tokens=wish.tokens,
            ttl_seconds=TTL_SECONDS,
        )
        outcome, _, why = await self._ask(wish, request, ReserveResponse, tries=TRIES)
        self._add(wish, Kind.RESERVE, outcome, why)
        if outcome is Outcome.REFUSED or wish.end is End.LEAVE:
            return
        if wish.end is End.SETTLE:
            await self._settle(wish)
        else:
            release = ReleaseRequest(id=wish.ref)
            outcome, _, why = await self._ask(wish, release, ReleaseResponse, tries=TRIES)
            self._add(wish, Kind.RELEASE, outcome, why)

    async def _settle(self, wish: Wish) -> None:
        settle = SettleRequest(id=wish.ref, tokens=wish.used)
        outcome, _, why = await self._ask(wish, settle, SettleResponse, tries=TRIES)
        self._add(wish, Kind.SETTLE, outcome, why, tokens=wish.used)
        if wish.twice and outcome is Outcome.DONE:
            # Again, at another door: charged once.
            await self._ask(wish, settle, SettleResponse, tries=1, first=1)

    async def _purchase(self, wish: Wish) -> None:
        request = CreatePurchaseRequest(
            user_id=wish.user_id, provider=PROVIDER, tokens=wish.tokens, idempotency_key=wish.ref
        )
        outcome, answer, why = await self._ask(wish, request, CreatePurchaseResponse, tries=TRIES)
        answers = [answer]
        if wish.twice:
            # The same key again, at another door.
            again = await self._ask(wish, request, CreatePurchaseResponse, tries=TRIES, first=1)
            answers.append(again[1])
        said = tuple(one["sagaId"] for one in answers if one)
        self._add(wish, Kind.PURCHASE, outcome, why, said=said, keyed=True)
