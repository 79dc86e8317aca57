"""Whose end a cancellation is."""

import asyncio


def asked_for() -> bool:
    """Whether this task itself is to end, and not only something that it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
