"""Threads of SQLite's drivers and the end of their event loop."""

import asyncio
import threading
from pathlib import Path

import pytest

from mesh.storage.sqlite_threads import DriverThreads

pytestmark = pytest.mark.anyio


async def test_a_database_closes_once_the_threads_of_its_connections_have_ended(
    tmp_path: Path,
) -> None:
    opens, may_open = threading.Event(), threading.Event()

    def open_late(*_file: object, **_options: object) -> None:
        opens.set()
        may_open.wait()
        raise OSError

    threads = DriverThreads()
    opening = asyncio.ensure_future(_opened(threads, tmp_path / "a.db", open_late))
    await asyncio.to_thread(opens.wait)
    opening.cancel()
    closing = asyncio.ensure_future(threads.close())
    await asyncio.wait([closing], timeout=0.05)
    assert not closing.done()
    may_open.set()
    await closing
    assert not any("_connection_worker" in each.name for each in threading.enumerate())


async def _opened(threads: DriverThreads, file: Path, factory: object) -> None:
    await threads.connect(file, factory=factory)
