"""Ids for requests that need one each: no two loads have the same, and none is in order."""

import uuid

# Odd, so that no two of 2**32 numbers give the same; Lua can still multiply it exactly.
SCATTER = 2654435761
HEAD = 8


class Ids:
    """The ids of one load, UUIDs that end in `tail`."""

    def __init__(self) -> None:
        self.tail = str(uuid.uuid4())[HEAD:]
        self._number = 0

    def new(self) -> str:
        """One more."""
        self._number += 1
        return f"{self._number * SCATTER % 2**32:08x}{self.tail}"
