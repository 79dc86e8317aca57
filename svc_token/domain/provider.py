"""What is told of a provider."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFacts:
    """Informational: tokens, requests a second, and whether it is on."""

    default_quota: int
    rate_limit: int
    enabled: bool
