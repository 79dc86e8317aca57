"""Sums over events. Tokens are always those of allowed events."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Exact sums over some events."""

    events: int = 0
    denied: int = 0
    tokens: int = 0

    @property
    def allowed(self) -> int:
        """Events that were not denied."""
        return self.events - self.denied

    @property
    def average_tokens(self) -> float:
        """Tokens of an allowed event; 0 when there is none."""
        return self.tokens / self.allowed if self.allowed else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTotals:
    """One user's tokens and events of every kind."""

    user_id: str
    tokens: int
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderUsage:
    """A provider's totals over a window; it holds at least one event, the last at `last_us`."""

    provider: str
    totals: Totals
    last_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A provider's window: its totals, how many users, and those that used most.

    `top_users` come with most tokens first, then most events, then by user id.
    """

    totals: Totals = Totals()
    unique_users: int = 0
    top_users: tuple[UserTotals, ...] = ()


def total(usages: Sequence[ProviderUsage]) -> Totals:
    """The sum over providers."""
    return Totals(
        events=sum(usage.totals.events for usage in usages),
        denied=sum(usage.totals.denied for usage in usages),
        tokens=sum(usage.totals.tokens for usage in usages),
    )


def ranked(usages: Sequence[ProviderUsage]) -> tuple[ProviderUsage, ...]:
    """Most tokens first, then by name."""
    return tuple(sorted(usages, key=lambda usage: (-usage.totals.tokens, usage.provider)))


def shares(usages: Sequence[ProviderUsage]) -> tuple[float, ...]:
    """Each provider's part of all tokens, 0 to 1; all 0 when no token was used."""
    tokens = total(usages).tokens
    return tuple(usage.totals.tokens / tokens if tokens else 0.0 for usage in usages)
