"""What every store of request counters promises."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from svc_gateway.ports import Windows
from svc_gateway.stores import WINDOWS
from svc_gateway.stores.windows_memory import OVERFLOW, MemoryWindows
from tests.parts.redis import corner
from tests.parts.urls import REDIS, backends

pytestmark = pytest.mark.anyio
SECRET = "what all gateways share"
MINUTE = 60_000_000


@pytest.fixture(params=["shared", *backends("memory", redis=REDIS)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "memory":
        yield "memory://"
        return
    if request.param == "shared":
        yield f"shared://{tmp_path}/windows"
        return
    with corner() as there:
        yield there


@pytest.fixture
async def windows(address: str) -> AsyncIterator[Windows]:
    async with WINDOWS.open(address, secret=SECRET) as opened:
        yield opened


async def test_each_caller_has_a_count_of_its_own_in_each_window(windows: Windows) -> None:
    assert [await windows.hit("a", 1, MINUTE) for _ in range(3)] == [1, 2, 3]
    assert await windows.hit("b", 1, MINUTE) == 1
    assert await windows.hit("a", 2, MINUTE) == 1


async def test_a_late_hit_still_counts_in_the_window_before(windows: Windows) -> None:
    await windows.hit("a", 1, MINUTE)
    await windows.hit("a", 2, MINUTE)
    assert await windows.hit("a", 1, MINUTE) == 2
    assert await windows.hit("a", 2, MINUTE) == 2


async def test_a_window_of_another_length_is_another_window(windows: Windows) -> None:
    await windows.hit("a", 1, MINUTE)
    assert await windows.hit("a", 1, 2 * MINUTE) == 1


async def test_hits_at_once_are_all_counted(windows: Windows) -> None:
    counts = await asyncio.gather(*(windows.hit("a", 1, MINUTE) for _ in range(64)))
    assert sorted(counts) == list(range(1, 65))


async def test_memory_keeps_two_windows_and_none_of_another_length() -> None:
    windows = MemoryWindows()
    for window_id in range(1000):
        await windows.hit("a", window_id, MINUTE)
    assert len(windows._counts) == 2
    await windows.hit("a", 1, 2 * MINUTE)
    assert list(windows._counts) == [(2 * MINUTE, 1)]


async def test_memory_is_bounded_and_who_comes_too_late_shares_a_count() -> None:
    windows = MemoryWindows(most=3)
    for number in range(100):
        await windows.hit(f"caller-{number}", 1, MINUTE)
    assert len(windows._counts[MINUTE, 1]) == 4
    assert windows._counts[MINUTE, 1][OVERFLOW] == 97
    assert await windows.hit("caller-0", 1, MINUTE) == 2
    assert await windows.hit("unheard of", 1, MINUTE) == 98
