"""Which shard of the outbox an owner's events are in."""

from collections.abc import Collection
from zlib import crc32

# Migrations have spread rows over this many.
SHARDS = 16
ALL: Collection[int] = range(SHARDS)


def shard_of(key: str) -> int:
    """0 to SHARDS - 1, the same in every process and version."""
    return crc32(key.encode()) % SHARDS
