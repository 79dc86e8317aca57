"""What was decided without the store that counts."""

from mesh.telemetry.closed import Closed
from mesh.telemetry.tally import Counter

STORE_AWAY = Closed(
    Counter,
    "rate_limit_store_away_total",
    "Calls decided while the store of rate limits was away.",
    {"store": ("buckets", "windows"), "decision": ("refused", "passed")},
)
