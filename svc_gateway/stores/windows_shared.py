"""Request counters in a file that the gateways of one machine map into memory (mmap(2)).

The file is a table of buckets, each with room for some counters and under a lock of
its own (fcntl(2), byte ranges). A counter is found by a keyed hash of its caller and
window, so that the file names nobody. Its place is another's once its window and the
next have passed. In a bucket without a free place callers share the last one.
"""

import fcntl
import mmap
import os
import struct
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import unquote, urlsplit

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from svc_gateway.stores.keyed_hash import keyed_hash

# Hash of caller and window; when the place is free again, in microseconds; the count.
_PLACE = struct.Struct("=16sQQ")
_COUNT = struct.Struct("=Q")
_COUNT_AT = _PLACE.size - _COUNT.size
PLACES = 64
BUCKETS = 2_048
_BUCKET = PLACES * _PLACE.size
# A lock is held for microseconds, unless its holder is stopped meanwhile.
PATIENCE_SECONDS = 0.05


class SharedWindows:
    """Nothing awaits, so among the calls of one process each hit is one step, too."""

    def __init__(self, file: int, table: mmap.mmap, secret: str, buckets: int) -> None:
        self._file, self._table, self._buckets = file, table, buckets
        self._hash = keyed_hash(secret)

    async def hit(self, key: str, window_id: int, window_us: int) -> int:
        """Counts a request. Raises AppError UNAVAILABLE when another gateway holds the lock."""
        caller = self._hash.copy()
        caller.update(f"{window_us}:{window_id}:{key}".encode())
        name = caller.digest()
        bucket = int.from_bytes(name[:4], "big") % self._buckets
        with self._locked(bucket):
            return self._count(bucket * _BUCKET, name, window_id * window_us, window_us)

    def _count(self, start: int, name: bytes, now_us: int, window_us: int) -> int:
        at = self._found(start, name)
        if at is None:
            at = self._free(start, now_us)
            if _PLACE.unpack_from(self._table, at)[1] <= now_us:
                _PLACE.pack_into(self._table, at, name, now_us + 2 * window_us, 0)
        (count,) = _COUNT.unpack_from(self._table, at + _COUNT_AT)
        _COUNT.pack_into(self._table, at + _COUNT_AT, count + 1)
        return int(count) + 1

    def _found(self, start: int, name: bytes) -> int | None:
        end = start + _BUCKET
        at = self._table.find(name, start, end)
        while at >= 0 and (at - start) % _PLACE.size:
            at = self._table.find(name, at + 1, end)
        return at if at >= 0 else None

    def _free(self, start: int, now_us: int) -> int:
        for at in range(start, start + _BUCKET, _PLACE.size):
            if _PLACE.unpack_from(self._table, at)[1] <= now_us:
                return at
        return start + _BUCKET - _PLACE.size

    @contextmanager
    def _locked(self, bucket: int) -> Iterator[None]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, bucket)
                break
            except OSError:
                if time.monotonic() > deadline:
                    message = "another gateway holds the counters of requests"
                    raise AppError(REASON_UNAVAILABLE, message, retry_after=1) from None
                os.sched_yield()
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, bucket)


@asynccontextmanager
async def open_windows(url: str, *, secret: str) -> AsyncIterator[SharedWindows]:
    """Counters for `shared:///PATH`: a file that is made when it is missing. Raises AppError."""
    file = _opened(unquote(urlsplit(url).path))
    try:
        with mmap.mmap(file, BUCKETS * _BUCKET) as table:
            yield SharedWindows(file, table, secret, BUCKETS)
    finally:
        os.close(file)


def _opened(path: str) -> int:
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        # Never shorter, as others may have mapped it; zeros are free places. All of it is on the
        # disk from the start: where that is full, a page without a place kills who touches it.
        os.posix_fallocate(file, 0, BUCKETS * _BUCKET)
    except OSError as error:
        # This process does not start, so the file is closed with it.
        message = f"the counters of requests cannot be in {path}: {error.strerror}"
        raise AppError(REASON_UNAVAILABLE, message) from error
    return file
