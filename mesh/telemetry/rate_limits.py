"""What was decided without the store that counts."""

from prometheus_client import Counter

# decision: "refused" or "passed".
STORE_AWAY = Counter(
    "rate_limit_store_away_total",
    "Calls decided while the store of rate limits was away.",
    ["store", "decision"],
)
