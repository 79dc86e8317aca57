"""Asking the rate bucket, and what to do while it cannot be asked."""

from contextlib import suppress
from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.clock import Clock
from mesh.errors import AppError
from mesh.failpoints import failpoint
from mesh.telemetry.rate_limits import STORE_AWAY
from svc_token.domain.bucket import BucketRule, Decision, Taken, uncounted
from svc_token.domain.spend import Spend
from svc_token.ports import Buckets, Limits

REFUSED = STORE_AWAY.of("buckets", "refused")
PASSED = STORE_AWAY.of("buckets", "passed")
_TAKING = failpoint("bucket.take.before")
_TAKEN = failpoint("bucket.take.after")
_REFUNDING = failpoint("bucket.refund.before")
_REFUNDED = failpoint("bucket.refund.after")


@dataclass(frozen=True, slots=True, kw_only=True)
class AskBucket:
    """Takes tokens from the user's bucket, and gives them back."""

    buckets: Buckets
    limits: Limits
    clock: Clock

    async def __call__(self, spend: Spend, rule: BucketRule) -> Decision:
        """The bucket's decision; one that is not counted when the store is away and may be.

        Raises AppError UNAVAILABLE when it may not.
        """
        _TAKING()
        try:
            decision = await self.buckets.take(spend.bucket, spend.tokens, rule)
        except AppError as error:
            if error.reason != REASON_UNAVAILABLE:
                raise
            if not self.limits.buckets_fail_open:
                REFUSED.inc()
                raise
            PASSED.inc()
            return uncounted(self.clock.now_us(), rule)
        _TAKEN()
        return decision

    async def undo(self, spend: Spend, rule: BucketRule, decision: Decision) -> None:
        """Gives back what the decision took, as far as the bucket can be asked.

        What may have been taken unseen stays: a bucket may be stricter than it
        need be, never looser.
        """
        if decision.taken is not None:
            await self.refund(spend, rule, taken=decision.taken)

    async def refund(self, spend: Spend, rule: BucketRule, *, taken: Taken) -> None:
        """Gives back a spend's tokens but for what has drained, if the bucket can be asked."""
        _REFUNDING()
        with suppress(AppError):
            await self.buckets.refund(spend.bucket, spend.tokens, rule, taken=taken)
        _REFUNDED()
