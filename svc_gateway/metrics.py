"""What is counted at the edge."""

from mesh.telemetry.closed import UNKNOWN, Closed
from mesh.telemetry.tally import Counter
from svc_gateway.routing import SERVICES

VALIDATIONS = Closed(
    Counter,
    "gateway_api_key_validation_total",
    "API keys that were presented, by what they turned out to be.",
    {"outcome": ("valid", "invalid", "unavailable")},
)
CACHE = Closed(
    Counter,
    "gateway_api_key_cache_total",
    "API keys that were known from before, and those that svc_auth had to be asked about.",
    {"outcome": ("hit", "miss")},
)
REQUESTS = Closed(
    Counter,
    "gateway_rate_limit_total",
    "Requests that were counted against their caller's window, by what came of it.",
    {"outcome": ("allowed", "blocked")},
)
FALLBACKS = Closed(
    Counter,
    "gateway_fallback_total",
    "Calls that were answered in place of a service that is away or whose breaker is open.",
    {"service": SERVICES},
    spare={"service": UNKNOWN},
)
_HIT, _MISS = CACHE.of("hit"), CACHE.of("miss")


def count_lookup(*, known: bool) -> None:
    """Counts one API key that was looked for among those known."""
    (_HIT if known else _MISS).inc()
