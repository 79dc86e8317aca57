"""The way to one endpoint of one provider: bulkhead, then breaker, then the try itself."""

import asyncio
from dataclasses import dataclass

import aiohttp

from mesh.clock import Clock
from mesh.resilience.breaker import Breaker
from mesh.resilience.bulkhead import Bulkhead, BulkheadFullError
from providers.attempt import AttemptError, Kind, Post, attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What all calls to the endpoint share. Breaker and metric see each try."""

    url: str
    breaker: Breaker
    bulkhead: Bulkhead
    session: aiohttp.ClientSession
    clock: Clock

    async def send(self, post: Post, *, deadline: float, usual: float) -> bytes:
        """One try, until `deadline` on the loop's clock; `usual` is what a call may take.

        Raises AttemptError.
        """
        # An open breaker refuses at once, not after a queue.
        if self.breaker.retry_after > 0:
            raise _open()
        left = deadline - asyncio.get_running_loop().time()
        try:
            async with self.bulkhead.enter(left):
                return await self._through_breaker(post, deadline, usual)
        except BulkheadFullError as error:
            raise AttemptError(Kind.FULL, f"bulkhead: {error}", retry=False) from error

    async def _through_breaker(self, post: Post, deadline: float, usual: float) -> bytes:
        permit = self.breaker.allow()
        if permit is None:
            raise _open()
        with permit:
            try:
                body = await self._timed(post, deadline, usual)
            except AttemptError as error:
                if error.counts:
                    permit.record(success=False)
                raise
            permit.record(success=True)
            return body

    async def _timed(self, post: Post, deadline: float, usual: float) -> bytes:
        given = deadline - asyncio.get_running_loop().time()
        # A try that came late, after a queue or waits, says little about the provider.
        fair = given >= usual / 2
        if given <= 0:
            raise AttemptError(Kind.TIMEOUT, "no time left", retry=False, counts=False)
        try:
            async with asyncio.timeout_at(deadline):
                return await attempt(self.session, post, self.clock.now_us())
        except TimeoutError as error:
            text = f"no answer within {given:.3f} s"
            raise AttemptError(Kind.TIMEOUT, text, retry=False, counts=fair) from error


def _open() -> AttemptError:
    return AttemptError(Kind.OPEN, "the breaker is open", retry=False, counts=False)
