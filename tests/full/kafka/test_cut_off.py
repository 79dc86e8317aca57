"""A broker that falls silent after any of its answers: what was open is closed, what ran ends."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress

import pytest
from aiokafka.conn import AIOKafkaConnection

from mesh.errors import AppError
from mesh.storage import kafka, kafka_publisher
from svc_analytics.stores import source_kafka
from tests.full.kafka.carrying import row, sink_to, source_of
from tests.parts.kafka import Corner, corner
from tests.parts.urls import KAFKA, url

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not url(KAFKA), reason="no Kafka runs")]
# For all that it answers, on a busy machine, and for each answer from when on it is silent.
PATIENT_SECONDS, REQUEST_SECONDS = 30.0, 1.5
HURRY = PATIENT_SECONDS / REQUEST_SECONDS
MODULES = (kafka, kafka_publisher, source_kafka)
TIMEOUT = asyncio.timeout
# Of the admin's connection the versions and metadata are two, then come the client's own.
ANSWERS = range(9)


class Silence:
    """Answers reach their connections until `left` is used up, and are dropped from then on.

    Only then time counts: what has PATIENT_SECONDS or more goes by HURRY times as fast, in the
    order in which it would have ended.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.left: int | None = None
        self._patch = patch
        self._patient: set[asyncio.Timeout] = set()
        for place in ("asyncio.timeout", "async_timeout.timeout"):
            patch.setattr(place, self._timeout)
        self._give(PATIENT_SECONDS)

    @property
    def silent(self) -> bool:
        return self.left is not None and self.left < 0

    def takes(self) -> bool:
        if self.left is None:
            return False
        self.left -= 1
        if self.left == -1:
            self._hurry()
        return self.silent

    @asynccontextmanager
    async def _timeout(self, delay: float | None) -> AsyncIterator[asyncio.Timeout]:
        patient = delay is not None and delay >= PATIENT_SECONDS
        if delay is not None and patient and self.silent:
            delay /= HURRY
        async with TIMEOUT(delay) as bound:
            if patient:
                self._patient.add(bound)
            try:
                yield bound
            finally:
                self._patient.discard(bound)

    def _hurry(self) -> None:
        self._give(REQUEST_SECONDS)
        self._patch.setattr(source_kafka, "_CLOSE_SECONDS", REQUEST_SECONDS)
        now = asyncio.get_running_loop().time()
        for bound in self._patient:
            ends = bound.when()
            if ends is not None and not bound.expired():
                bound.reschedule(now + (ends - now) / HURRY)

    def _give(self, seconds: float) -> None:
        for module in MODULES:
            self._patch.setattr(module, "REQUEST_SECONDS", seconds)


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[Silence]:
    made = Silence(monkeypatch)
    handle = AIOKafkaConnection._handle_frame

    def heard(connection: AIOKafkaConnection, answer: bytes) -> None:
        if not made.takes():
            handle(connection, answer)

    monkeypatch.setattr(AIOKafkaConnection, "_handle_frame", heard)
    yield made
    made.left = None


async def publish(there: Corner) -> None:
    async with sink_to(there) as sink:
        await sink.publish([row(1, topic=there.topics.usage)])


async def receive(there: Corner) -> None:
    async with source_of(there) as source, asyncio.timeout(2 * PATIENT_SECONDS):
        await source.receive(1)


@pytest.mark.parametrize("work", [publish, receive])
@pytest.mark.parametrize("answers", ANSWERS)
async def test_nothing_is_left_of_what_was_cut_off(
    work: Callable[[Corner], Awaitable[None]], answers: int, silence: Silence
) -> None:
    async with corner() as there:
        await publish(there)
        before = asyncio.all_tasks()
        silence.left = answers
        with suppress(AppError, TimeoutError):
            await work(there)
        assert silence.silent
        silence.left = None
        # Those of closed connections are cancelled, and end in the loop's next turn.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before
        # An open connection that is forgotten warns when it is collected, which fails this test;
        # else it would be whichever test came next.
        gc.collect()
