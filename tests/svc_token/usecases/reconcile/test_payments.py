"""Purchases and a payment provider's books, each difference between them found and named."""

import pytest

from svc_token.usecases.reconcile.comparison import Compared
from svc_token.usecases.reconcile.payments import ComparePayments
from tests.svc_token.shop import Shop
from tests.svc_token.usecases.reconcile.conftest import Audited, differences, kinds

pytestmark = pytest.mark.anyio


@pytest.fixture
def shop(audited: Audited) -> Shop:
    return Shop(audited.house)


def comparison(shop: Shop) -> ComparePayments:
    """As it is a minute later."""
    shop.house.clock.pass_seconds(60)
    house = shop.house
    return ComparePayments(audit=house.stores.audit, payments=shop.books, clock=house.clock)


async def test_what_was_paid_and_given_shows_nothing(shop: Shop) -> None:
    for _ in range(5):
        await shop.buy()
    await shop.runner()
    compared = Compared()
    assert [one async for one in comparison(shop)(compared)] == []
    assert compared.payments == 5


async def test_a_purchase_under_way_shows_nothing(shop: Shop) -> None:
    shop.books.lose = {"capture"}
    saga = await shop.buy()
    with pytest.raises(Exception, match="lost"):
        await shop.runner()
    assert shop.books.state[saga.id] == "captured"
    assert await differences(comparison(shop)) == []


async def test_a_declined_purchase_shows_nothing(shop: Shop) -> None:
    shop.books.declines = True
    await shop.buy()
    await shop.runner()
    assert await differences(comparison(shop)) == []


@pytest.mark.parametrize("state", ["voided", "held", ""])
async def test_tokens_that_nobody_paid_for_are_found(shop: Shop, state: str) -> None:
    saga = await shop.buy()
    await shop.buy()
    await shop.runner()
    shop.books.state[saga.id] = state
    if not state:
        del shop.books.state[saga.id]
    found = await differences(comparison(shop))
    assert kinds(found) == ["payment-missing"]
    assert saga.id in found[0].subject


async def test_money_that_was_taken_for_nothing_is_found(shop: Shop) -> None:
    await shop.buy()
    await shop.runner()
    stray = shop.house.ids.new()
    shop.books.state[stray] = "captured"
    found = await differences(comparison(shop))
    assert kinds(found) == ["payment-unknown"]
    assert stray in found[0].subject


async def test_money_taken_for_a_purchase_that_failed_is_found(shop: Shop) -> None:
    shop.books.declines = True
    saga = await shop.buy()
    await shop.runner()
    shop.books.state[saga.id] = "captured"
    assert kinds(await differences(comparison(shop))) == ["payment-unknown"]


async def test_another_amount_is_found(audited: Audited, shop: Shop) -> None:
    await shop.buy()
    await shop.runner()
    await audited.plant("UPDATE sagas SET tokens = tokens + 1")
    found = await differences(comparison(shop))
    assert kinds(found) == ["payment-tokens"]
    assert (found[0].expected, found[0].found) == (
        "501 tokens captured, for they were given",
        "500 tokens captured",
    )
