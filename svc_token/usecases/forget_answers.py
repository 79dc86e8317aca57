"""Forgetting answers that were kept for long enough."""

from dataclasses import dataclass

from mesh.clock import Clock
from svc_token.ports import IdempotencyKeys, Limits

BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetAnswers:
    """Prunes idempotency keys, a batch at a time."""

    keys: IdempotencyKeys
    limits: Limits
    clock: Clock

    async def __call__(self) -> bool:
        """Whether there is more to forget."""
        before = self.clock.now_us() - self.limits.answers_kept_us
        return await self.keys.prune(before, BATCH) == BATCH
