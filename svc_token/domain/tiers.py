"""What an owner's roles give."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from svc_token.domain.bucket import Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A level; the highest `priority` of an owner's roles wins.

    Without a `bucket_strategy` its buckets are what the others' are.
    """

    priority: int
    bucket_capacity_multiplier: float
    bucket_leak_rate_multiplier: float
    quota_max_tokens: int
    bucket_strategy: Strategy | None


def tier_of(roles: Iterable[str], levels: Mapping[str, Tier], default: str) -> Tier:
    """The tier of a set of roles; the default one when no role has a tier."""
    held = [levels[role] for role in roles if role in levels]
    return max(held, key=lambda tier: tier.priority, default=levels[default])
