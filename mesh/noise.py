"""Random bytes, asked of the system for many at a time: each question is a system call."""

import os
from collections import deque

SIZE = 24
_AT_ONCE = 256
# Taken from and added to in one step each, so that threads may share it.
_pieces: deque[bytes] = deque()
# Who is forked must not draw the same.
os.register_at_fork(after_in_child=_pieces.clear)


def noise() -> bytes:
    """SIZE random bytes of the system's generator, given to nobody else."""
    try:
        return _pieces.pop()
    except IndexError:
        block = os.urandom(_AT_ONCE * SIZE)
        _pieces.extend(block[at : at + SIZE] for at in range(SIZE, len(block), SIZE))
        return block[:SIZE]
