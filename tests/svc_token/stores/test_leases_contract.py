"""Every store of leases gives each name to one holder at a time."""

import asyncio
from collections.abc import Sequence

import pytest

from svc_token.domain.lease import Lease
from svc_token.stores.stores import TokenStores

pytestmark = pytest.mark.anyio
NAMES = [f"{number:02}" for number in range(16)]
SECOND = 1_000_000


async def turn(
    stores: TokenStores,
    holder: str,
    now_us: int = 0,
    *,
    group: str = "outbox",
    names: Sequence[str] = NAMES,
) -> Sequence[Lease]:
    return await stores.leases.share(
        group, names, holder, now_us=now_us, until_us=now_us + 5 * SECOND
    )


async def test_the_only_one_has_all_under_the_names_that_it_gave(stores: TokenStores) -> None:
    leases = await turn(stores, "a", 7)
    assert leases == [
        Lease(name=name, holder="a", until_us=7 + 5 * SECOND, fence=1) for name in NAMES
    ]


async def test_what_is_renewed_in_time_keeps_its_fence(stores: TokenStores) -> None:
    await turn(stores, "a")
    leases = await turn(stores, "a", 4 * SECOND)
    assert {(lease.until_us, lease.fence) for lease in leases} == {(9 * SECOND, 1)}


async def test_a_second_one_gets_its_half_at_the_first_one_s_next_turn(
    stores: TokenStores,
) -> None:
    await turn(stores, "a")
    assert await turn(stores, "b", 1 * SECOND) == []
    assert len(await turn(stores, "a", 2 * SECOND)) == 8
    leases = await turn(stores, "b", 3 * SECOND)
    assert (len(leases), {lease.fence for lease in leases}) == (8, {2})


async def test_what_a_holder_that_died_had_is_free_when_its_time_is_up(
    stores: TokenStores,
) -> None:
    await turn(stores, "a")
    assert await turn(stores, "b", 5 * SECOND - 1) == []
    leases = await turn(stores, "b", 5 * SECOND)
    assert (len(leases), {lease.fence for lease in leases}) == (16, {2})
    # Who was held up finds everything gone.
    assert await turn(stores, "a", 5 * SECOND + 1) == []


async def test_what_is_given_back_is_free_at_once(stores: TokenStores) -> None:
    await turn(stores, "a")
    await stores.leases.give_back("outbox", NAMES, "a")
    assert len(await turn(stores, "b", 1)) == 16
    # And who does it does not count any more, nor touches what others have.
    await stores.leases.give_back("outbox", NAMES, "a")
    assert len(await turn(stores, "b", 2)) == 16


async def test_nothing_to_give_back_is_no_error(stores: TokenStores) -> None:
    await stores.leases.give_back("outbox", NAMES, "a")


async def test_groups_have_nothing_to_do_with_each_other(stores: TokenStores) -> None:
    for group in ("outbox", "out", "outbox%"):
        assert len(await turn(stores, f"of {group}", group=group)) == 16
        assert len(await turn(stores, f"of {group}", 1, group=group)) == 16


async def test_turns_at_once_give_nothing_to_two(stores: TokenStores) -> None:
    for now_us in (0, 1, 2):
        turns = await asyncio.gather(*(turn(stores, f"h{n}", now_us) for n in range(5)))
    names = [lease.name for leases in turns for lease in leases]
    assert sorted(names) == NAMES
    assert sorted(map(len, turns)) == [3, 3, 3, 3, 4]
