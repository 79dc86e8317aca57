"""One planted difference a kind in svc_token's own tables, each found and named."""

from collections.abc import Sequence

import pytest

from svc_token.domain.audit.difference import Difference
from svc_token.domain.member import MemberCap
from svc_token.domain.operations import Release
from svc_token.domain.owner import Owner, PoolKey
from svc_token.usecases.reconcile.comparison import Compared, Comparison
from svc_token.usecases.reconcile.members import CompareMembers
from svc_token.usecases.reconcile.outbox import CompareOutbox
from svc_token.usecases.reconcile.pools import ComparePools
from svc_token.usecases.reconcile.purchases import ComparePurchases
from svc_token.usecases.reconcile.reservations import CompareReservations
from tests.svc_token.conftest import ORG, OTHER, USER
from tests.svc_token.shop import Shop
from tests.svc_token.usecases.reconcile.conftest import KEY, Audited, differences, kinds

pytestmark = pytest.mark.anyio


async def compared(audited: Audited) -> list[Difference]:
    """Of all that is in the tables."""
    house = audited.house
    audit = house.stores.audit
    comparisons: Sequence[Comparison] = (
        ComparePools(audit=audit),
        CompareReservations(audit=audit, limits=house.limits, clock=house.clock),
        ComparePurchases(audit=audit),
        CompareMembers(audit=audit),
        CompareOutbox(audit=audit),
    )
    return [one for comparison in comparisons for one in await differences(comparison)]


@pytest.fixture
async def busy(audited: Audited) -> Audited:
    """One of each: held, settled, released, expired, settled late, bought, capped."""
    await audited.open_pool()
    house = audited.house
    for name in ("held", "settled", "released", "expired", "late"):
        await audited.reserve(name)
    house.clock.pass_seconds(1)
    await audited.settle("settled", 7)
    window = house.limits.window(audited.now)
    for name in ("released", "expired", "late"):
        await house.stores.ledger.submit(
            Release(
                id=name, pool=KEY, window=window, now_us=audited.now, expired=name != "released"
            )
        )
    await audited.settle("late", 12)
    shop = Shop(house)
    for org_id in (None, ORG):
        await shop.buy(org_id=org_id)
    await shop.runner()
    await house.stores.caps.put(MemberCap(pool=KEY, user_id=USER, cap=100, window=window.id))
    return audited


async def test_books_that_are_right_show_nothing(busy: Audited) -> None:
    assert await compared(busy) == []


async def test_nothing_at_all_shows_nothing(audited: Audited) -> None:
    assert await compared(audited) == []


async def test_all_pages_are_looked_at(busy: Audited) -> None:
    for number in range(12):
        key = PoolKey(Owner.of(OTHER.replace("b", f"{number:x}"), None), "gemini")
        await busy.open_pool(key=key)
        await busy.reserve(f"r{number}", key=key)
    audit = busy.house.stores.audit
    keys, page = [], await audit.pools(None, 5)
    while page:
        keys += [one.key for one in page]
        page = await audit.pools(page[-1].key, 5)
    assert len(keys) == len(set(keys)) == 14
    ids, held = [], await audit.reservations(None, 3)
    while held:
        ids += [one.key for one in held]
        held = await audit.reservations(held[-1].key, 3)
    assert len(ids) == len(set(ids)) == 17
    counted = Compared()
    assert [one async for one in ComparePools(audit=audit)(counted)] == []
    assert counted.pools == 14


PLANTED = [
    (
        "UPDATE pools SET allowance_used = allowance_used + 1 WHERE owner LIKE 'org:%'",
        ["balance"],
        f"pool {KEY.owner} at openai",
    ),
    ("UPDATE pools SET purchased = purchased + 1 WHERE owner LIKE 'org:%'", ["balance"], "pool "),
    ("UPDATE pools SET debt = debt + 1 WHERE owner LIKE 'org:%'", ["balance"], "pool "),
    ("UPDATE pools SET seq = seq + 1 WHERE owner LIKE 'org:%'", ["ledger-gap"], "pool "),
    (
        "DELETE FROM ledger WHERE ref = 'released'",
        ["ledger-gap", "reservation-lines"],
        "pool ",
    ),
    ("DELETE FROM pools WHERE owner LIKE 'org:%'", ["pool-missing"], f"pool {KEY.owner} at openai"),
    (
        "DELETE FROM reservations WHERE id = 'settled'",
        ["reservation-missing"],
        f"reservation settled of {KEY.owner}",
    ),
    (
        "UPDATE reservations SET held_allowance = held_allowance + 1 WHERE id = 'held'",
        ["held", "reservation-tokens"],
        "pool ",
    ),
    (
        "UPDATE reservations SET settled = 8 WHERE id = 'settled'",
        ["reservation-tokens"],
        "reservation settled",
    ),
    (
        "UPDATE reservations SET state = 'RELEASED' WHERE id = 'settled'",
        ["reservation-lines"],
        "reservation settled",
    ),
    (
        "UPDATE reservations SET state = 'RELEASED' WHERE id = 'held'",
        ["held", "reservation-lines"],
        "pool ",
    ),
    (
        "UPDATE reservations SET expires_us = 1 WHERE id = 'held'",
        ["orphan"],
        f"reservation held of {KEY.owner}",
    ),
    ("UPDATE sagas SET status = 'FAILED' WHERE org_id IS NULL", ["purchase-unknown"], "purchase "),
    ("DELETE FROM sagas WHERE org_id IS NULL", ["purchase-unknown"], "purchase "),
    ("UPDATE sagas SET tokens = 501 WHERE org_id IS NULL", ["purchase-tokens"], "purchase "),
    (
        "DELETE FROM ledger WHERE kind = 'purchase' AND owner LIKE 'user:%'",
        ["ledger-gap", "balance", "purchase-missing"],
        "pool ",
    ),
    ("UPDATE member_caps SET used = used + 1", ["member-cap"], f"cap of user {USER} in pool "),
    (
        "UPDATE outbox SET payload = substr(payload, 2) WHERE topic = 'token-usage'",
        ["event-differs", "event-differs"],
        "event ",
    ),
    (
        "UPDATE ledger SET event_id = 'another' WHERE ref = 'settled'",
        ["event-unknown"],
        "event ",
    ),
]


@pytest.mark.parametrize(("statement", "expected", "subject"), PLANTED)
async def test_a_planted_difference_is_found_and_named(
    busy: Audited, statement: str, expected: list[str], subject: str
) -> None:
    await busy.plant(statement)
    found = await compared(busy)
    assert kinds(found) == expected
    assert found[0].subject.startswith(subject)
    assert all(one.expected != one.found and one.advice for one in found)


async def test_what_ended_before_the_ledger_opened_has_no_lines(busy: Audited) -> None:
    await busy.plant(
        "INSERT INTO reservations SELECT owner, 'old', provider, user_id, 1, 5, 0, 'SETTLED',"
        " 9, 5, 0, 0, 0 FROM reservations WHERE id = 'held'"
    )
    assert await compared(busy) == []


async def test_tokens_bought_before_the_ledger_opened_are_in_its_first_line(
    busy: Audited,
) -> None:
    await Shop(busy.house).buy(user_id=USER)
    await busy.plant(
        "UPDATE sagas SET status = 'COMPLETED', step = 'NONE', created_us = 1"
        " WHERE status = 'STARTED'"
    )
    assert kinds(await compared(busy)) == ["purchase-missing"]
    await busy.plant("UPDATE ledger SET purchased = 500 WHERE owner LIKE 'user:%' AND seq = 1")
    await busy.plant("UPDATE pools SET purchased = purchased + 500 WHERE owner LIKE 'user:%'")
    assert await compared(busy) == []
