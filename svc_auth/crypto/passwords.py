"""Argon2id (RFC 9106) in a few threads, so that the event loop goes on."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from svc_auth.crypto.turns import Turns
from svc_auth.domain.password import canonical

T = TypeVar("T")
# OWASP's minimum for Argon2id; two threads take 38 MiB at the most.
MEMORY_KIB = 19_456
PASSES = 2
LANES = 1
THREADS = 2


class Argon2Passwords:
    """Implements Passwords; `threads` has as many as may hash at once."""

    def __init__(self, threads: ThreadPoolExecutor, turns: Turns | None = None) -> None:
        self._threads = threads
        self._turns = turns or Turns(THREADS)
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        # What a password is compared with when there is no user: nobody knows its text.
        self._nobody = self._hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str, *, asker: str) -> str:
        """A salted hash that carries its parameters. Raises OVERLOADED."""
        return await self._in_turn(asker, lambda: self._hasher.hash(canonical(password)))

    async def verify(self, password_hash: str | None, password: str, *, asker: str) -> bool:
        """Whether they belong together; without a hash False, after as long a time."""
        known = self._nobody if password_hash is None else password_hash
        right = await self._in_turn(asker, lambda: self._verify(known, canonical(password)))
        return right and password_hash is not None

    async def _in_turn(self, asker: str, work: Callable[[], T]) -> T:
        async with self._turns.turn(asker):
            running = asyncio.get_running_loop().run_in_executor(self._threads, work)
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                # A thread cannot be stopped: until it ends the turn is taken.
                await asyncio.wait([running])
                running.exception()  # seen, though the caller will not see it
                raise

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except VerifyMismatchError:
            return False


@asynccontextmanager
async def open_passwords() -> AsyncIterator[Argon2Passwords]:
    """The hasher with its threads, which end with it."""
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
    try:
        yield Argon2Passwords(threads)
    finally:
        threads.shutdown(wait=True, cancel_futures=True)
