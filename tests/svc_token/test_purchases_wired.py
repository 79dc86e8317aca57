"""Purchases end to end: over REST, with the real svc_auth, and the payment double misbehaving."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from svc_stubs.stores import open_books
from tests.svc_token.conftest import USER
from tests.svc_token.town import BUY, Town, completed, quota, town

pytestmark = pytest.mark.anyio
CAPTURED, VOIDED = "CAPTURED", "VOIDED"


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Town]:
    # A call of the payment double is given up early, so that late answers are late.
    async with town(tmp_path, LEAKY_DEADLINES_MESH="1s") as built:
        yield built


async def buy(client: httpx.AsyncClient) -> str:
    answer = await client.post("/api/v1/tokens/purchase", json=BUY)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["sagaId"])


async def paid(local: Town) -> dict[str, str]:
    """The double's books, read where they are."""
    url = f"sqlite:///{local.settings.current.data / 'stubs.db'}"
    async with open_books(url) as books:
        return {one.id: one.state.value for one in await books.page("", 1000, None)}


async def until(local: Town, saga_id: str, state: str) -> None:
    async with asyncio.timeout(20):
        while (await paid(local)).get(saga_id) != state:  # noqa: ASYNC110 the books are asked
            await asyncio.sleep(0.02)


async def test_twenty_purchases_at_once_for_a_new_user_are_all_completed(local: Town) -> None:
    client = await local.client()
    ids = await asyncio.gather(*(buy(client) for _ in range(20)))
    for saga_id in ids:
        await completed(client, saga_id)
    assert await quota(client) == (100_000 + 20 * 500, 100_000 + 20 * 500)
    assert await paid(local) == dict.fromkeys(ids, CAPTURED)


async def test_with_answers_that_get_lost_come_twice_or_fail_each_is_paid_once(
    local: Town,
) -> None:
    local.stubs.apply(
        {
            "stubs.payment.lose-answer": "30",
            "stubs.payment.answer-twice": "50",
            "stubs.payment.fail": "20",
        }
    )
    client = await local.client()
    ids = await asyncio.gather(*(buy(client) for _ in range(8)))
    local.stubs.apply({"stubs.payment.answer-twice": "100"})
    for saga_id in ids:
        await completed(client, saga_id)
    assert (await quota(client))[0] == 100_000 + 8 * 500
    assert await paid(local) == dict.fromkeys(ids, CAPTURED)


async def test_a_capture_s_answer_that_never_comes_is_asked_for_again(local: Town) -> None:
    local.stubs.apply({"stubs.payment.delay": "1h"})
    client = await local.client()
    saga_id = await buy(client)
    await until(local, saga_id, "AUTHORIZED")
    local.stubs.apply({})
    await completed(client, saga_id)
    assert await paid(local) == {saga_id: CAPTURED}
    assert (await quota(client))[0] == 100_500


async def test_an_authorisation_without_an_answer_is_let_go_when_purchases_fail_since(
    local: Town,
) -> None:
    local.stubs.apply({"stubs.payment.delay": "1h"})
    client = await local.client()
    saga_id = await buy(client)
    await until(local, saga_id, "AUTHORIZED")
    local.settings.apply({"token.saga.simulate-failure": "true"})
    local.stubs.apply({})
    await completed(client, saga_id, "FAILED")
    assert await paid(local) == {saga_id: VOIDED}
    missing = await client.get(f"/api/v1/tokens/quota?userId={USER}&provider=openai")
    assert missing.status_code == 404
