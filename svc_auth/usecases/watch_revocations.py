"""Follows revocations."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from mesh.clock import Clock
from svc_auth.domain.revocation import Numbered, Revocation, heartbeat
from svc_auth.ports import RevocationLog, Watch, Watching

PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRevocations:
    """Everything that is good for nothing any more, until the caller leaves or falls behind."""

    log: RevocationLog
    watching: Watching
    clock: Clock

    async def __call__(self) -> AsyncGenerator[Revocation, None]:
        """First what was revoked and must still be remembered, then a heartbeat, then the news.

        So who was cut off, or has only just started, is as well off as who
        heard everything: a token that was ended before is refused by both.
        """
        # Else what is stored between our look and the first of those who tell is told by none.
        await self.watching.started()
        watch = self.watching.watch()
        try:
            standing = await self._standing(0)
        except BaseException:
            watch.close()
            raise
        return self._told(watch, standing)

    async def _standing(self, after: int) -> Sequence[Numbered]:
        return await self.log.standing(self.clock.now_us(), after=after, limit=PAGE)

    async def _told(
        self, watch: Watch, standing: Sequence[Numbered]
    ) -> AsyncGenerator[Revocation, None]:
        try:
            while standing:
                for one in standing:
                    yield one.revocation
                standing = await self._standing(standing[-1].seq)
            yield heartbeat(self.clock.now_us())
            async for revocation in watch:
                yield revocation
        finally:
            watch.close()
