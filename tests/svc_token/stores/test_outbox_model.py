"""Whatever is parked and sent again when: an owner's events go in their order, and none is lost."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svc_token.domain.events import OutboxRow
from svc_token.stores import TOKEN_STORES
from svc_token.stores.stores import TokenStores
from tests.svc_token.stores.conftest import TOPICS
from tests.svc_token.stores.test_outbox_contract import told

LIMIT = 3
STEPS = st.lists(
    st.tuples(st.just("tell"), st.integers(0, 2))
    | st.tuples(st.just("tell"), st.integers(0, 2))
    | st.tuples(st.sampled_from(["park", "deliver", "requeue", "look"]), st.integers(0, 5)),
    max_size=60,
)


@dataclass
class Model:
    """What is committed and not delivered, in this order, by user; and what is parked."""

    waiting: dict[str, list[str]] = field(default_factory=dict)
    parked: set[str] = field(default_factory=set)
    count: int = 0

    def tell(self, user: str) -> str:
        self.count += 1
        name = f"e{self.count:03}"
        self.waiting.setdefault(user, []).append(name)
        return name

    def agrees(self, rows: Sequence[OutboxRow]) -> None:
        """They are the first of those that may go, and are some if any may."""
        free = {user: names for user, names in self.waiting.items() if not self.parked & {*names}}
        for user, names in self.waiting.items():
            found = [row.event_id for row in rows if row.key == f"user:{user}"]
            assert found == (names[: len(found)] if user in free else [])
        assert bool(rows) == any(free.values())
        assert [row.seq for row in rows] == sorted(row.seq for row in rows)

    def delivered(self, rows: Sequence[OutboxRow]) -> None:
        for row in rows:
            self.waiting[row.key.removeprefix("user:")].remove(row.event_id)


async def step(stores: TokenStores, model: Model, what: str, number: int) -> None:
    outbox = stores.outbox
    if what == "tell":
        await told(stores, (model.tell(f"u{number}"), f"u{number}"))
        return
    if what == "requeue":
        names = sorted(model.parked)[number : number + 1] or None
        model.parked -= {*await outbox.requeue(names)}
        return
    rows = await outbox.pending(LIMIT)
    model.agrees(rows)
    if what == "park" and number < len(rows):
        await outbox.park([rows[number].seq], 7)
        model.parked.add(rows[number].event_id)
    if what == "deliver":
        await outbox.delivered([row.seq for row in rows[:number]])
        model.delivered(rows[:number])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_an_owner_s_events_go_in_their_order_and_none_is_lost(steps: list[tuple[str, int]]) -> None:
    async def replay(folder: Path) -> None:
        model = Model()
        async with TOKEN_STORES.open(f"sqlite:///{folder / 'token.db'}", topics=TOPICS) as stores:
            for what, number in steps:
                await step(stores, model, what, number)
            await step(stores, model, "requeue", 99)
            while any(model.waiting.values()):
                await step(stores, model, "deliver", LIMIT)
            assert await stores.outbox.depth() == 0

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(replay(Path(folder)))
