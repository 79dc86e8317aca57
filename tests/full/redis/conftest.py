"""A Redis that a test may stop: its own, never the shared one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.parts.redis import OwnRedis, own_redis

T = TypeVar("T")
# It is asked four times a second; a busy machine has more.
FOUND_SECONDS = 20.0
PAUSE_SECONDS = 0.02


async def until(ask: Callable[[], Awaitable[T]], wanted: Callable[[T], bool]) -> T:
    """The first answer that is wanted, within FOUND_SECONDS."""
    async with asyncio.timeout(FOUND_SECONDS):
        while not wanted(answer := await ask()):  # noqa: ASYNC110 it is asked of another process
            await asyncio.sleep(PAUSE_SECONDS)
    return answer


@pytest.fixture
def own(tmp_path: Path) -> Iterator[OwnRedis]:
    with own_redis(tmp_path / "redis") as server:
        yield server
