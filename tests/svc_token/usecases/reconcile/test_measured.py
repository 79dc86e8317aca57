"""What a reconciliation found is a metric once it has ended."""

from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.rpc.streams import closing
from svc_token.domain.audit.difference import Difference, Mismatch
from svc_token.usecases.reconcile.comparison import Compared
from svc_token.usecases.reconcile.reconcile import Reconcile
from svc_token.usecases.reconcile.reservations import CompareReservations
from tests.svc_token.usecases.reconcile.conftest import Audited

pytestmark = pytest.mark.anyio


class Finds:
    """A comparison that finds these, and then may break off."""

    def __init__(self, *kinds: Mismatch, away: bool = False) -> None:
        self.what, self.kinds, self.away = "books", kinds, away

    async def __call__(self, _compared: Compared) -> AsyncIterator[Difference]:
        for kind in self.kinds:
            yield Difference(kind=kind, subject="one", expected="1", found="2")
        if self.away:
            raise AppError(REASON_UNAVAILABLE, "away")


def told() -> dict[str, float]:
    """The kinds of which there are any."""
    found = {
        kind.value: REGISTRY.get_sample_value("reconcile_differences", {"kind": kind.value})
        for kind in Mismatch
    }
    assert None not in found.values()
    return {kind: count for kind, count in found.items() if count}


async def reconciled(audited: Audited, *finds: Finds) -> dict[str, float]:
    reconcile = Reconcile(comparisons=finds, ledger=audited.house.stores.ledger)
    _ = [one async for one in reconcile(repair=False)]
    return told()


async def test_each_kind_is_counted_and_the_next_reconciliation_begins_at_none(
    audited: Audited,
) -> None:
    held, balance = Mismatch.HELD, Mismatch.BALANCE
    assert await reconciled(audited, Finds(held, balance, held), Finds(held)) == {
        "held": 3,
        "balance": 1,
    }
    assert await reconciled(audited, Finds(balance)) == {"balance": 1}
    assert await reconciled(audited, Finds()) == {}


async def test_what_could_not_be_compared_is_not_said_to_agree(audited: Audited) -> None:
    await reconciled(audited, Finds(Mismatch.HELD, Mismatch.BALANCE))
    found = await reconciled(audited, Finds(Mismatch.HELD, Mismatch.HELD, away=True))
    assert found == {"held": 2, "balance": 1}
    assert await reconciled(audited, Finds()) == {}


async def test_one_that_is_broken_off_says_nothing(audited: Audited) -> None:
    await reconciled(audited, Finds(Mismatch.HELD))
    reconcile = Reconcile(
        comparisons=(Finds(*[Mismatch.BALANCE] * 3),), ledger=audited.house.stores.ledger
    )
    async with closing(reconcile(repair=False)) as told_of:
        await anext(told_of)
    assert told() == {"held": 1}


async def test_what_is_repaired_does_not_differ_any_more(audited: Audited) -> None:
    house = audited.house
    await audited.open_pool()
    await audited.reserve("orphan")
    house.clock.pass_seconds(3_600)
    compare = CompareReservations(audit=house.stores.audit, limits=house.limits, clock=house.clock)
    reconcile = Reconcile(comparisons=(compare,), ledger=house.stores.ledger)
    _ = [one async for one in reconcile(repair=False)]
    assert told() == {"orphan": 1}
    _ = [one async for one in reconcile(repair=True)]
    assert told() == {}
