"""Ends a child with its parent, however the parent ended.

The parent keeps the write end of a pipe and never writes; when it dies, the
kernel closes that end, and the child reads the end of the file. This works
after `kill -9`, and on every Unix.
"""

import asyncio
import os
import select
import threading
import time

# Names the pipe's read end, a file descriptor that the child has inherited.
PARENT_FD = "LEAKY_PARENT_FD"


async def parent_gone() -> None:
    """Returns when the process that started this one has ended; without one, never."""
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    descriptor = _descriptor()
    if descriptor is None:
        await gone.wait()
        return
    loop.add_reader(descriptor, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(descriptor)


def end_with_parent(grace: float) -> None:
    """Ends this process at the latest `grace` seconds after its parent, come what may.

    A thread sees to it, so that a blocked event loop cannot outlive the parent.
    """
    descriptor = _descriptor()
    if descriptor is not None:
        threading.Thread(target=_end, args=(descriptor, grace), daemon=True).start()


def _end(descriptor: int, grace: float) -> None:
    # Not read: an event loop may have made the pipe non-blocking.
    select.select([descriptor], [], [])
    time.sleep(grace)
    os._exit(1)


def _descriptor() -> int | None:
    text = os.environ.get(PARENT_FD, "")
    return int(text) if text.isdecimal() else None
