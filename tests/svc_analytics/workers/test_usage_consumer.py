"""Usage events are stored before they are said to be done, and nothing holds them up."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

import orjson
import pytest

from leaky.common.v1.reason_pb2 import REASON_INVALID_ARGUMENT, REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.resilience.backoff import Backoff
from svc_analytics.domain.message import Message
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.ports import UsageStore
from svc_analytics.usecases.ingest import INGESTED, Ingest
from svc_analytics.workers import usage_consumer
from svc_analytics.workers.usage_consumer import UsageConsumer
from tests import traced
from tests.traced import FOLLOWED, OUTSIDE, UNFOLLOWED, recording

pytestmark = pytest.mark.anyio
Make = Callable[..., UsageEvent]
AWAY = AppError(REASON_UNAVAILABLE, "away")


@dataclass
class Line:
    """Messages in batches; what is done and what is buried is noted, in order."""

    batches: list[list[Message]]
    fails: dict[str, list[Exception]] = field(default_factory=dict)
    told: list[tuple[str, object]] = field(default_factory=list)
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, limit: int) -> Sequence[Message]:
        self._perhaps_fail("receive")
        if not self.batches:
            self.idle.set()
            await asyncio.Event().wait()
        assert len(self.batches[0]) <= limit
        return self.batches.pop(0)

    async def done(self, messages: Sequence[Message]) -> None:
        self._perhaps_fail("done")
        self.told.append(("done", [message.offset for message in messages]))

    async def bury(self, message: Message, reason: str) -> None:
        self._perhaps_fail("bury")
        self.told.append(("bury", (message.offset, reason)))

    async def lag(self) -> int:
        return sum(len(batch) for batch in self.batches)

    def _perhaps_fail(self, verb: str) -> None:
        if self.fails.get(verb):
            raise self.fails[verb].pop(0)


@dataclass
class Shelf:
    """A store that may fail or keep its writer waiting; only appending is asked for."""

    kept: dict[str, UsageEvent] = field(default_factory=dict)
    fails: list[Exception] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event | None = None

    async def append(self, events: Sequence[UsageEvent]) -> int:
        self.reached.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.fails:
            raise self.fails.pop(0)
        new = {event.event_id: event for event in events if event.event_id not in self.kept}
        self.kept.update(new)
        return len(new)


def read(value: bytes) -> UsageEvent:
    if value == b"bad":
        raise AppError(REASON_INVALID_ARGUMENT, "tokens: must be a number")
    return UsageEvent(**orjson.loads(value))


def at(offset: int, event: UsageEvent | None) -> Message:
    names = UsageEvent.__dataclass_fields__
    fields = event and {name: getattr(event, name) for name in names}
    value = b"bad" if event is None else orjson.dumps(fields)
    return Message(partition=0, offset=offset, key=None, value=value)


@asynccontextmanager
async def consuming(line: Line, shelf: Shelf) -> AsyncIterator["asyncio.Task[None]"]:
    store: UsageStore = shelf  # type: ignore[assignment] # no more of it is used
    worker = UsageConsumer(
        source=line, read=read, ingest=Ingest(store=store), backoff=Backoff(first=0.001, cap=0.001)
    )
    task = asyncio.ensure_future(worker())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def consumed(line: Line, shelf: Shelf) -> None:
    async with asyncio.timeout(10), consuming(line, shelf):
        await line.idle.wait()


def counted(outcome: str) -> float:
    return float(INGESTED.of(outcome).value)


async def test_a_batch_is_stored_and_then_done(make_event: Make) -> None:
    events = [make_event() for _ in range(3)]
    line = Line([[at(0, events[0]), at(1, events[1])], [at(2, events[2])]])
    shelf = Shelf()
    await consumed(line, shelf)
    assert list(shelf.kept.values()) == events
    assert line.told == [("done", [0, 1]), ("done", [2])]


async def test_what_is_delivered_again_counts_once(make_event: Make) -> None:
    event = make_event()
    line = Line([[at(0, event)], [at(0, event)]])
    before = counted("stored"), counted("duplicate")
    await consumed(line, Shelf())
    assert (counted("stored") - before[0], counted("duplicate") - before[1]) == (1, 1)


async def test_while_the_store_is_away_nothing_is_done_and_then_all_is(make_event: Make) -> None:
    line = Line([[at(0, make_event())]])
    shelf = Shelf(fails=[AWAY, AWAY, RuntimeError("a fault of ours"), AWAY])
    await consumed(line, shelf)
    assert (len(shelf.kept), shelf.fails) == (1, [])
    assert line.told == [("done", [0])]


async def test_a_message_that_can_never_be_stored_is_set_aside_before_it_is_done(
    make_event: Make,
) -> None:
    line = Line([[at(0, make_event()), at(1, None), at(2, make_event())], [at(3, None)]])
    shelf = Shelf()
    before = counted("dead")
    await consumed(line, shelf)
    assert len(shelf.kept) == 2
    reason = "INVALID_ARGUMENT: tokens: must be a number"
    assert line.told == [
        ("bury", (1, reason)),
        ("done", [0, 1, 2]),
        ("bury", (3, reason)),
        ("done", [3]),
    ]
    assert counted("dead") - before == 2


async def test_an_event_that_the_store_will_never_take_holds_nobody_up(make_event: Make) -> None:
    events = [make_event() for _ in range(5)]
    events[2] = replace(events[2], tokens=-1)
    line, shelf = Line([[at(offset, event) for offset, event in enumerate(events)]]), Shelf()
    await consumed(line, shelf)
    assert list(shelf.kept.values()) == [*events[:2], *events[3:]]
    (buried, done) = line.told
    assert isinstance(buried[1], tuple)
    assert (buried[0], buried[1][0]) == ("bury", 2)
    assert done == ("done", [0, 1, 2, 3, 4])


async def test_each_step_is_tried_until_it_succeeds(make_event: Make) -> None:
    line = Line([[at(0, make_event()), at(1, None)]])
    line.fails = {verb: [AWAY, RuntimeError("odd")] for verb in ("receive", "bury", "done")}
    shelf = Shelf()
    before = counted("dead")
    await consumed(line, shelf)
    assert [verb for verb, _ in line.told] == ["bury", "done"]
    assert counted("dead") - before == 1


async def test_a_drain_finishes_the_batch_in_hand(make_event: Make) -> None:
    line = Line([[at(0, make_event())], [at(1, make_event())]])
    shelf = Shelf(gate=asyncio.Event())
    async with asyncio.timeout(10), consuming(line, shelf) as task:
        await shelf.reached.wait()
        task.cancel()
        assert shelf.gate is not None
        await asyncio.sleep(0)
        shelf.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert line.told == [("done", [0])]
    assert len(line.batches) == 1


async def test_a_drain_does_not_wait_for_a_store_that_is_away(
    make_event: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_consumer, "DRAIN_SECONDS", 0.05)
    line = Line([[at(0, make_event())]])
    shelf = Shelf(gate=asyncio.Event())
    async with asyncio.timeout(10), consuming(line, shelf) as task:
        await shelf.reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert line.told == []


async def test_a_batch_links_to_the_traces_of_its_events_and_is_part_of_none(
    make_event: Make,
) -> None:
    traces = [FOLLOWED, UNFOLLOWED, FOLLOWED.replace(OUTSIDE, "1" * 16)]
    batch = [
        replace(at(offset, make_event()), headers=(("traceparent", trace.encode()),))
        for offset, trace in enumerate(traces)
    ]
    with recording() as seen:
        await consumed(Line([batch, [at(3, make_event())]]), Shelf())
        (span,) = seen.spans
    assert (span.name, span.parent) == ("process usage", None)
    assert traced.links_of(span) == [OUTSIDE, "1" * 16]
    assert traced.trace_of(span) != traced.TRACE


async def test_a_trace_header_without_a_value_is_none_and_stops_nothing(make_event: Make) -> None:
    line = Line([[replace(at(0, make_event()), headers=(("traceparent", None),))]])
    shelf = Shelf()
    with recording() as seen:
        await consumed(line, shelf)
    assert (len(shelf.kept), seen.spans) == (1, ())
    assert line.told == [("done", [0])]
