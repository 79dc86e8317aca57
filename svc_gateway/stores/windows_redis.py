"""Request counters on Redis, shared by all gateways."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mesh.storage.redis_script import RedisScript, open_script
from svc_gateway.stores.keyed_hash import keyed_hash

SCRIPT = Path(__file__).with_name("windows.lua").read_text()


class RedisWindows:
    """A counter outlives its window by another one, for hits from late clocks.

    Keys are hashes under `secret`, which all gateways share: who reads Redis
    learns neither addresses nor users.
    """

    def __init__(self, script: RedisScript, secret: str) -> None:
        self._script = script
        self._hash = keyed_hash(secret)

    async def hit(self, key: str, window_id: int, window_us: int) -> int:
        """Counts a request; one whose answer was lost may have been counted."""
        caller = self._hash.copy()
        caller.update(key.encode())
        name = f"window:{{{caller.hexdigest()}}}:{window_us}:{window_id}"
        return int(await self._script(name, 2 * window_us // 1000))


@asynccontextmanager
async def open_windows(url: str, *, secret: str) -> AsyncIterator[RedisWindows]:
    """Counters for `redis://` and `rediss://`."""
    async with open_script(url, SCRIPT, store="windows") as script:
        yield RedisWindows(script, secret)
