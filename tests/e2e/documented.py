"""What docs/api.md says that each answer holds, key by key."""

from collections.abc import Mapping
from typing import Any

Keys = set[str]
HEALTH: Keys = {"service", "status", "timestamp"}
STATUS: Keys = {*HEALTH, "version"}
REGISTERED: Keys = {"userId", "username", "email", "token", "roles", "createdAt"}
SIGNED_IN: Keys = {"userId", "username", "token", "roles", "expiresAt"}
_LIMITS: Keys = {"scopes", "providers"}
NEW_KEY: Keys = {"id", "userId", "name", "createdAt", "expiresAt", "rawKey", "apiKey", *_LIMITS}
KEY: Keys = {"id", "userId", "name", "createdAt", "expiresAt", "lastUsedAt", "prefix", *_LIMITS}
KEY_HOLDER: Keys = {"userId", "name", "expiresAt", "roles"}
_POOL: Keys = {"provider", "totalTokens", "remainingTokens", "resetTime", "updatedAt"}
QUOTA: Keys = {*_POOL, "userId"}
ORG_QUOTA: Keys = {*_POOL, "orgId"}
_BUCKET: Keys = {"capacity", "used", "remaining", "waitSeconds"}
CONSUMED: Keys = {*_BUCKET, "allowed", "timestamp", "providerResponse"}
RATE_LIMIT: Keys = {*_BUCKET, "userId", "provider", "strategy"}
ORDERED: Keys = {"sagaId", "status", "createdAt"}
_OWNER: Keys = {"userId", "orgId", "provider", "tokens", "idempotencyKey"}
PURCHASE: Keys = {*_OWNER, "id", "status", "createdAt", "updatedAt"}
PROVIDER: Keys = {"provider", "defaultQuota", "rateLimit", "enabled"}
CHAT: Keys = {"id", "provider", "received", "created", "message"}
USAGE: Keys = {"provider", "count", "items"}
USAGE_ITEM: Keys = {"key", "userId", "tokens", "allowed"}
_WINDOW: Keys = {"windowStart", "windowEnd"}
_EVENTS: Keys = {"totalEvents", "allowedEvents", "deniedEvents"}
_SAMPLE: Keys = {"uniqueUsers", "sampleLimit", "topUsers"}
REPORT: Keys = {"provider", *_WINDOW, *_EVENTS, "totalTokens", "averageTokens", *_SAMPLE}
TOP_USER: Keys = {"userId", "totalTokens", "events"}
_CURRENT: Keys = {"currentWindowStart", "currentWindowEnd", "currentTokens"}
_BASELINE: Keys = {"baselineWindows", "baselineAverage", "ratio", "threshold"}
ANOMALIES: Keys = {"provider", *_CURRENT, *_BASELINE, "anomaly", "sampleLimit"}
SHARES: Keys = {*_WINDOW, "items"}
SHARE: Keys = {"provider", "totalTokens", "totalEvents", "deniedEvents", "share"}
_USE: Keys = {"totalTokens", "totalEvents", "deniedEvents", "lastEventAt"}
USER_USAGE: Keys = {"userId", *_WINDOW, *_USE, "providers"}
USER_PROVIDER: Keys = {"provider", "totalTokens", "events"}
TRENDS: Keys = {"provider", *_WINDOW, "bucketSeconds", "points"}
POINT: Keys = {"start", "tokens", "events", "deniedEvents"}
FALLBACK: Keys = {"service", "status", "message", "timestamp"}
FALLBACKS = (
    *("auth-server", "token-service", "analytics-service"),
    *("qwen-stub", "gemini-stub", "openai-stub"),
)
WINDOW_HEADERS: Keys = {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}
DRAFT_HEADERS: Keys = {"ratelimit", "ratelimit-policy"}
SECURITY_HEADERS: Mapping[str, str] = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "geolocation=(), microphone=(), camera=()",
}


def keys_of(rows: Any) -> Keys:
    """The keys that every one of the rows has; there must be rows."""
    assert rows
    assert all(set(row) == set(rows[0]) for row in rows)
    return set(rows[0])
