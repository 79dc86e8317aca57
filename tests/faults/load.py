"""Consumers: what they ask for is the seed's choice, what becomes of it goes into the history."""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from leaky.token.v1.consume_service_pb2 import ConsumeRequest, ConsumeResponse
from leaky.token.v1.purchase_service_pb2 import CreatePurchaseRequest, CreatePurchaseResponse
from tests.faults.doors import Door, insist
from tests.faults.history import History, Kind, Op

SPACE = UUID("8f0c8d9e-5e1f-4a55-9b3e-0d1c2b3a4f5e")
PROVIDER = "openai"
USERS = 24
MOST_TOKENS = 20
MOST_BOUGHT = 60
TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One thing that a consumer wants; `doors` in the order in which they are tried."""

    kind: Kind
    ref: str
    user_id: str
    tokens: int
    doors: tuple[int, ...]
    twice: bool


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
        yield Wish(
            kind=kind,
            ref=str(uuid5(SPACE, f"{seed}/{number}")),
            user_id=choice.choice(users),
            tokens=choice.randint(1, MOST_BOUGHT if kind is Kind.PURCHASE else MOST_TOKENS),
            doors=tuple(order),
            twice=choice.random() < 0.2,
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
            if wish.kind is Kind.PURCHASE:
                await self._purchase(wish)
            else:
                await self._consume(wish)

    def _add(self, op: Op) -> None:
        self.history.add(op)
        self.count += 1
        self.heard(self.count)

    async def _consume(self, wish: Wish) -> None:
        request = ConsumeRequest(
            user_id=wish.user_id, provider=PROVIDER, tokens=wish.tokens, prompt=wish.ref
        )
        # Once: without a key, asked again it is another one.
        outcome, _, why = await insist(
            lambda _: self.doors[wish.doors[0]].ask(request, ConsumeResponse), 1
        )
        self._add(
            Op(
                kind=Kind.CONSUME,
                user_id=wish.user_id,
                tokens=wish.tokens,
                ref=wish.ref,
                outcome=outcome,
                why=why,
            )
        )

    async def _purchase(self, wish: Wish) -> None:
        request = CreatePurchaseRequest(
            user_id=wish.user_id, provider=PROVIDER, tokens=wish.tokens, idempotency_key=wish.ref
        )

        async def ask(attempt: int) -> object:
            door = self.doors[wish.doors[attempt % len(wish.doors)]]
            return await door.ask(request, CreatePurchaseResponse)

        outcome, answer, why = await insist(ask, TRIES)
        said = [answer["sagaId"]] if answer else []
        if wish.twice:
            # The same key again, at another door.
            _, again, _ = await insist(lambda attempt: ask(attempt + 1), TRIES)
            said += [again["sagaId"]] if again else []
        self._add(
            Op(
                kind=Kind.PURCHASE,
                user_id=wish.user_id,
                tokens=wish.tokens,
                ref=wish.ref,
                outcome=outcome,
                said=tuple(said),
                why=why,
            )
        )
