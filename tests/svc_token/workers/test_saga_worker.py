"""When a service stops, its purchases end their steps, and what is left is anybody's at once."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from svc_token.workers import saga_worker
from svc_token.workers.saga_worker import SagaWorker
from tests.mesh.discovery.waiting import until_told
from tests.svc_token.conftest import House
from tests.svc_token.shop import Books, Shop

pytestmark = pytest.mark.anyio
PATIENCE = 20.0


@pytest.fixture
def shop(house: House) -> Shop:
    return Shop(house)


@dataclass
class Gated:
    """The books, which answer when they are let."""

    inner: Books
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __getattr__(self, verb: str) -> Callable[..., Awaitable[object]]:
        async def ask(*arguments: object) -> object:
            self.reached.set()
            await self.gate.wait()
            answer: object = await getattr(self.inner, verb)(*arguments)
            return answer

        return ask


def worker(shop: Shop, payments: Gated) -> SagaWorker:
    return SagaWorker(runner=shop.another("one", payments=payments), pause=lambda: 60.0)


async def ended(task: "asyncio.Future[None]") -> None:
    with suppress(asyncio.CancelledError):
        await task


async def test_a_purchase_in_hand_is_brought_to_its_end(shop: Shop) -> None:
    saga, payments = await shop.buy(), Gated(shop.books)
    async with asyncio.timeout(PATIENCE):
        task = asyncio.ensure_future(worker(shop, payments)())
        await payments.reached.wait()
        task.cancel()
        await asyncio.sleep(0)
        payments.gate.set()
        await ended(task)
    assert await shop.status(saga) == "COMPLETED"


async def test_one_that_does_not_end_goes_on_elsewhere_at_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saga_worker, "DRAIN_SECONDS", 0.01)
    saga, payments = await shop.buy(), Gated(shop.books)
    async with asyncio.timeout(PATIENCE):
        task = asyncio.ensure_future(worker(shop, payments)())
        await payments.reached.wait()
        task.cancel()
        await ended(task)
    await shop.another("other")()
    assert await shop.status(saga) == "COMPLETED"
    assert shop.books.asked["capture", saga.id] == 1


async def test_one_that_is_hindered_goes_on_elsewhere_at_once(shop: Shop) -> None:
    saga, payments = await shop.buy(), Gated(shop.books)
    payments.gate.set()
    shop.books.away = True
    async with asyncio.timeout(PATIENCE):
        task = asyncio.ensure_future(worker(shop, payments)())
        await payments.reached.wait()
        task.cancel()
        await ended(task)
    shop.books.away = False
    await shop.another("other")()
    assert await shop.status(saga) == "COMPLETED"


async def test_it_ends_although_its_leases_cannot_be_given_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise AppError(REASON_UNAVAILABLE, "the database is away")

    payments = Gated(shop.books)
    payments.gate.set()
    await shop.buy()
    async with asyncio.timeout(PATIENCE):
        task = asyncio.ensure_future(worker(shop, payments)())
        await payments.reached.wait()
        monkeypatch.setattr(shop.sagas, "give_back", away)
        with capture_logs() as logs:
            task.cancel()
            await ended(task)
    assert [entry["event"] for entry in logs] == ["purchases wait until their leases end"]


async def test_a_new_purchase_wakes_it(shop: Shop) -> None:
    resting = asyncio.Event()

    def pause() -> float:
        resting.set()
        return PATIENCE * 2

    async def completed() -> bool:
        return await shop.status(saga) == "COMPLETED"

    built = SagaWorker(runner=shop.another("one"), pause=pause)
    async with asyncio.timeout(PATIENCE):
        task = asyncio.ensure_future(built())
        await resting.wait()
        saga = await shop.buy()
        built.wake()
        await until_told(completed)
        task.cancel()
        await ended(task)
