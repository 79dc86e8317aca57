"""Checks API keys."""

from collections.abc import Callable
from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_INVALID_API_KEY
from mesh.clock import Clock
from mesh.errors import AppError
from svc_auth.domain.api_key import KeyHolder
from svc_auth.domain.policy import AuthPolicy
from svc_auth.ports import ApiKeys, KeyMaker, KeyUse


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateApiKey:
    """Says whose key a text is, and notes that it was used."""

    keys: ApiKeys
    maker: KeyMaker
    use: KeyUse
    policy: Callable[[], AuthPolicy]
    clock: Clock

    async def __call__(self, text: str) -> KeyHolder:
        """The holder; AppError INVALID_API_KEY without saying what is wrong with the key."""
        holder = await self._find(text)
        now = self.clock.now_us()
        if holder is None or holder.key.expired(now) or not self._accepts(holder):
            raise AppError(REASON_INVALID_API_KEY, "the API key is unknown, expired or revoked")
        self.use.used(holder.key.id, now)
        return holder

    async def _find(self, text: str) -> KeyHolder | None:
        given = self.maker.candidates(text)
        if not given:
            # A slip of the pen, or a scanner: no store is asked.
            return None
        found = await self.keys.find_keys({one.lookup for one in given})
        for holder, kept in found:
            for number, one in enumerate(given):
                if self.maker.proves(kept, one):
                    if number:
                        # Stored under an older pepper, which is to be of no use one day.
                        await self.keys.keep_anew(holder.key.id, given[0])
                    return holder
        return None

    def _accepts(self, holder: KeyHolder) -> bool:
        # A key that `local` once made for nobody opens nothing in `secure`.
        return not holder.disabled and (holder.known or not self.policy().known_users_only)
