"""What somebody wants to spend."""

from dataclasses import dataclass

from svc_token.domain.events import UsageEvent
from svc_token.domain.owner import Owner, PoolKey


def bucket_key(user_id: str, provider: str) -> str:
    """A bucket's key, tagged by its user so that a cluster keeps it in one place."""
    return f"bucket:{{{user_id}}}:{provider}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What to spend, on whose account; an organisation's when one is named."""

    user_id: str
    org_id: str | None
    provider: str
    tokens: int
    prompt: str | None

    @property
    def pool(self) -> PoolKey:
        """The pool that pays."""
        return PoolKey(Owner.of(self.user_id, self.org_id), self.provider)

    @property
    def bucket(self) -> str:
        """The bucket that is asked first: the user's, whoever pays."""
        return bucket_key(self.user_id, self.provider)

    def event(
        self,
        event_id: str,
        at_us: int,
        *,
        allowed: bool = True,
        reason: str = "",
        traceparent: str = "",
    ) -> UsageEvent:
        """What is told of it."""
        return UsageEvent(
            event_id=event_id,
            user_id=self.user_id,
            org_id=self.org_id,
            provider=self.provider,
            tokens=self.tokens,
            allowed=allowed,
            reason=reason,
            at_us=at_us,
            traceparent=traceparent,
        )
