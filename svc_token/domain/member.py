"""What one member may take of an organisation's pool in a window."""

from dataclasses import dataclass, replace

from svc_token.domain.owner import PoolKey


class MemberCapExceededError(Exception):
    """The pool has enough, and this member has had its share of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberCap:
    """`used` of `cap` tokens in a window; tokens on hold count as used."""

    pool: PoolKey
    user_id: str
    cap: int
    window: int
    used: int = 0
    updated_us: int = 0

    def renewed(self, window: int) -> "MemberCap":
        """The cap in this window, the pool's own: whole in a new one."""
        return self if window <= self.window else replace(self, window=window, used=0)

    def hold(self, tokens: int) -> "MemberCap":
        """Takes tokens. Raises MemberCapExceededError."""
        if self.used + tokens > self.cap:
            raise MemberCapExceededError
        return replace(self, used=self.used + tokens)

    def changed(self, tokens: int, window: int) -> "MemberCap":
        """More, or fewer, tokens used of a hold that was taken in that window.

        A window that has passed keeps what it had, only what is used on top counts in this one.
        """
        if window != self.window:
            tokens = max(0, tokens)
        return replace(self, used=max(0, self.used + tokens))
