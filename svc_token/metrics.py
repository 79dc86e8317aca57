"""What is counted of consumes and pools; a provider is one of the settings', else "unknown"."""

from collections.abc import Iterable
from enum import StrEnum

from mesh.telemetry.closed import UNKNOWN, Closed
from mesh.telemetry.tally import Counter, Gauge


class Ending(StrEnum):
    """How a consume ended; what is no use of tokens, such as a bad request, is none of these."""

    ALLOWED = "allowed"
    QUOTA_INSUFFICIENT = "quota_insufficient"
    RATE_LIMITED = "rate_limited"
    PROVIDER_FAILURE = "provider_failure"


CONSUMED = Closed(
    Counter,
    "token_consume_total",
    "Consumes, by how they ended; what is answered again under its key is not counted again.",
    {"provider": (), "outcome": Ending},
    spare={"provider": UNKNOWN},
)
LOOKUPS = Counter("token_quota_lookup_total", "Questions for how a pool stands.")
LOW = Closed(
    Gauge,
    "token_pools_low",
    "Pools with less than token.quota.low-fraction of their tokens left; NaN while unknown.",
    {"provider": ()},
    spare={"provider": UNKNOWN},
)
OVERDRAWN = Gauge(
    "token_pools_overdrawn",
    "Pools of which more is held or spent than there ever was, which must be none; "
    "NaN while unknown.",
)


def declare(providers: Iterable[str]) -> None:
    """Makes the series of these providers."""
    names = tuple(providers)
    for metric in (CONSUMED, LOW):
        metric.admit("provider", names)
