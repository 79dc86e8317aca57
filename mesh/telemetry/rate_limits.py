"""What was decided without the store that counts."""

from prometheus_client import Counter

from mesh.telemetry.closed import Closed

STORE_AWAY = Closed(
    Counter,
    "rate_limit_store_away_total",
    "Calls decided while the store of rate limits was away.",
    {"store": ("buckets", "windows"), "decision": ("refused", "passed")},
)
