"""What every store of members' caps promises."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from unittest.mock import patch

import pytest

from svc_token.domain.member import MemberCap, MemberCapExceededError
from svc_token.domain.operations import Reserve
from svc_token.domain.window import Window
from svc_token.stores import sql_member_lines
from svc_token.stores.stores import TokenStores
from tests.svc_token.stores.test_ledger_contract import (
    ORG,
    USER,
    WINDOW,
    org_pool,
    release,
    reserve,
    settle,
)

pytestmark = pytest.mark.anyio
OTHER = USER.replace("aa", "bb")
LATER = Window(WINDOW.id + 1, WINDOW.length_us)


def cap(tokens: int = 100, *, user: str = USER, window: int = WINDOW.id) -> MemberCap:
    return MemberCap(pool=ORG, user_id=user, cap=tokens, window=window, updated_us=5)


async def put(stores: TokenStores, wanted: MemberCap | None = None) -> MemberCap:
    """The cap as it stands then."""
    stored = await stores.caps.put(wanted or cap())
    assert stored is not None
    return stored


async def recounted(stores: TokenStores) -> Sequence[tuple[int, int]]:
    """What each cap counts, and what the ledger has."""
    return [(one.cap.used, one.used) for one in await stores.audit.caps(None, 100)]


async def test_without_a_pool_there_is_no_cap(stores: TokenStores) -> None:
    assert await stores.caps.put(cap()) is None
    assert await stores.caps.all(ORG) == []
    assert not await stores.caps.remove(ORG, USER)


async def test_caps_are_kept_by_user_and_gone_when_removed(stores: TokenStores) -> None:
    await org_pool(stores, 100)
    both = [await put(stores), await put(stores, cap(7, user=OTHER))]
    assert await stores.caps.all(ORG) == both
    assert await stores.caps.remove(ORG, USER)
    assert not await stores.caps.remove(ORG, USER)
    assert await stores.caps.all(ORG) == both[1:]


async def test_a_cap_that_is_set_again_goes_on_counting(stores: TokenStores) -> None:
    await org_pool(stores, 100)
    await put(stores)
    await stores.ledger.submit(reserve("a", 30))
    assert (await put(stores, cap(40))).used == 30
    with pytest.raises(MemberCapExceededError):
        await stores.ledger.submit(reserve("b", 11))
    await stores.ledger.submit(reserve("b", 10))


async def used_before(stores: TokenStores) -> None:
    """By USER 61 in WINDOW: 10 are held, 11 were settled and 40 late; 12 were let go."""
    await org_pool(stores, 1000)
    for name, tokens in (("held", 10), ("settled", 14), ("gone", 12), ("late", 45)):
        await stores.ledger.submit(reserve(name, tokens))
    await stores.ledger.submit(replace(reserve("other", 500), user_id=OTHER))
    await stores.ledger.submit(settle("settled", 11))
    await stores.ledger.submit(release("gone"))
    await stores.ledger.submit(replace(release("late"), expired=True))
    await stores.ledger.submit(settle("late", 40))


@pytest.mark.parametrize("lines", [1, 3, 5_000])
async def test_a_new_cap_counts_what_its_member_has_used_before(
    stores: TokenStores, lines: int
) -> None:
    await used_before(stores)
    with patch.object(sql_member_lines, "LINES", lines):
        assert (await put(stores)).used == 61
        assert (await put(stores, cap(user=OTHER))).used == 500
        assert sorted(await recounted(stores)) == [(61, 61), (500, 500)]


@pytest.mark.parametrize("lines", [1, 3, 5_000])
async def test_a_window_s_cap_counts_that_window_s_lines(stores: TokenStores, lines: int) -> None:
    await used_before(stores)
    await put(stores)
    await stores.ledger.submit(replace(reserve("new", 5), window=LATER, user_id=OTHER))
    # More than it held, in the window after: 4 are used in that one.
    await stores.ledger.submit(replace(settle("held", 14), window=LATER))
    with patch.object(sql_member_lines, "LINES", lines):
        assert (await put(stores, cap(user=OTHER, window=LATER.id))).used == 5
        # The asker's clock may be behind the pool.
        assert (await put(stores)).window == LATER.id
        assert sorted(await recounted(stores)) == [(4, 4), (5, 5)]
        # Or before it: nothing has been used of a window that the pool is not in yet.
        assert (await put(stores, cap(window=LATER.id + 1))).used == 0


@pytest.mark.parametrize("before", [None, 70])
async def test_a_hold_that_is_committed_after_its_window_s_edge_counts_where_the_ledger_has_it(
    stores: TokenStores, before: int | None
) -> None:
    await org_pool(stores, 1000)
    if before is not None:
        await put(stores, cap(before))
    await stores.ledger.submit(reserve("early", 60))
    # Stamped in WINDOW, they wait for their commit, and meanwhile a cap is set in LATER.
    assert (await put(stores, cap(100, window=LATER.id))).used == 0
    await stores.ledger.submit(reserve("late", 30))
    assert await recounted(stores) == [(90, 90)]
    with pytest.raises(MemberCapExceededError):
        await stores.ledger.submit(reserve("more", 11))
    # Nothing of it is LATER's.
    await stores.ledger.submit(replace(reserve("new", 100), window=LATER))
    assert await recounted(stores) == [(100, 100)]
    # The pool cannot go back: what is committed behind it is of its allowance, and of that cap.
    with pytest.raises(MemberCapExceededError):
        await stores.ledger.submit(reserve("behind", 1))


async def test_an_end_that_is_committed_after_its_window_s_edge_counts_where_the_ledger_has_it(
    stores: TokenStores,
) -> None:
    await used_before(stores)
    await put(stores, cap(window=LATER.id))
    await stores.ledger.submit(settle("held", 25))
    await stores.ledger.submit(replace(reserve("lost", 5), user_id=OTHER))
    await stores.ledger.submit(replace(release("lost"), expired=True))
    await put(stores, cap(user=OTHER, window=LATER.id))
    await stores.ledger.submit(settle("lost", 6))
    assert sorted(await recounted(stores)) == [(76, 76), (506, 506)]


async def test_an_old_window_s_cap_is_compared_with_that_window_s_lines(
    stores: TokenStores,
) -> None:
    await used_before(stores)
    await put(stores)
    for number in range(3):
        window = Window(LATER.id + number, WINDOW.length_us)
        other = replace(reserve(f"later-{number}", 5), window=window, user_id=OTHER)
        await stores.ledger.submit(other)
    assert await recounted(stores) == [(61, 61)]


async def test_caps_that_are_set_while_their_members_spend_count_everything(
    stores: TokenStores,
) -> None:
    await org_pool(stores, 100_000)

    def taking(name: str, user: str) -> Reserve:
        return replace(reserve(name, 10), user_id=user)

    async def spend(user: str) -> None:
        for number in range(15):
            await stores.ledger.submit(taking(f"{user[-4:]}-{number}", user))
            await stores.ledger.submit(settle(f"{user[-4:]}-{number}", 7))

    async def set_anew(user: str) -> None:
        for _ in range(6):
            await put(stores, cap(100_000, user=user))
            assert await stores.caps.remove(ORG, user)
        await put(stores, cap(100_000, user=user))

    with patch.object(sql_member_lines, "LINES", 20):
        await asyncio.gather(*(do(user) for user in (USER, OTHER) for do in (spend, set_anew)))
        assert await recounted(stores) == [(105, 105)] * 2
