"""The live settings as the use cases see them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from leaky.common.v1 import reason_pb2
from mesh.errors import AppError, FieldViolation
from mesh.settings import Live
from svc_token.domain.bucket import MICRO, BucketRule
from svc_token.domain.provider import ProviderFacts
from svc_token.domain.tiers import Tier, tier_of
from svc_token.domain.window import Window
from svc_token.settings import BucketSettings, ProviderBucketSettings, TokenSettings

# A consume's own deadline bounds its call; this long after it nobody comes back.
HOLD_MARGIN_SECONDS = 30.0
# This long after it another may take over, and finds the hold still there.
CLAIM_MARGIN_SECONDS = 5.0
# Sets of roles that are remembered; users have a handful of them.
_REMEMBERED = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tiers:
    """What settings give each tier; made once for each change of them.

    `rule` is a provider's; of one that is not configured, the general one.
    """

    source: TokenSettings
    window_us: int
    tier: Callable[[frozenset[str]], Tier]
    rule: Callable[[frozenset[str], str], BucketRule]

    @classmethod
    def of(cls, settings: TokenSettings) -> "_Tiers":
        token = settings.token
        levels = {name: Tier(**level.model_dump()) for name, level in token.tiers.levels.items()}
        tiers = set(levels.values())
        general = _rules(token.bucket, tiers)
        rules = {
            name: _rules(_merged(token.bucket, provider.bucket), tiers)
            for name, provider in settings.providers.items()
        }

        @lru_cache(_REMEMBERED)
        def tier(roles: frozenset[str]) -> Tier:
            return tier_of(roles, levels, token.tiers.default_tier)

        @lru_cache(_REMEMBERED)
        def rule(roles: frozenset[str], provider: str) -> BucketRule:
            return rules.get(provider, general)[tier(roles)]

        window_us = int(token.quota.window * MICRO)
        return cls(source=settings, window_us=window_us, tier=tier, rule=rule)


class LiveLimits:
    """Reads the settings at each question."""

    def __init__(self, settings: Live[TokenSettings]) -> None:
        self._settings = settings
        self._tiers = _Tiers.of(settings.current)

    def provider(self, name: str) -> None:
        """Raises AppError UNKNOWN_PROVIDER for one that is not configured."""
        if name not in self._settings.current.providers:
            known = ", ".join(sorted(self._settings.current.providers))
            message = f"unknown provider; there are {known}"
            raise AppError(
                reason_pb2.REASON_UNKNOWN_PROVIDER,
                message,
                violations=(FieldViolation(field="provider", message=message),),
            )

    def usable(self, name: str) -> None:
        """As `provider`, and AppError PROVIDER_DISABLED for one that is switched off."""
        provider = self._settings.current.providers.get(name)
        if provider is None:
            self.provider(name)
        elif not provider.enabled:
            message = "the provider is switched off"
            raise AppError(reason_pb2.REASON_PROVIDER_DISABLED, message, retry_after=60)

    def facts(self, name: str) -> ProviderFacts | None:
        """What is told of a provider; None for one that is not configured."""
        provider = self._settings.current.providers.get(name)
        if provider is None:
            return None
        return ProviderFacts(
            default_quota=provider.default_quota,
            rate_limit=provider.rate_limit,
            enabled=provider.enabled,
        )

    def bucket(self, roles: frozenset[str], provider: str) -> BucketRule:
        """The rate bucket that someone with these roles has at a provider."""
        return self._of_now().rule(roles, provider)

    def allowance(self, roles: frozenset[str]) -> int:
        """The tokens a window that these roles give."""
        return self._of_now().tier(roles).quota_max_tokens

    def _of_now(self) -> _Tiers:
        if self._tiers.source is not self._settings.current:
            self._tiers = _Tiers.of(self._settings.current)
        return self._tiers

    def window(self, now_us: int) -> Window:
        """The window that a moment falls into."""
        return Window.at(now_us, self._of_now().window_us)

    @property
    def claim_us(self) -> int:
        """How long an effect under an idempotency key is its first asker's alone."""
        return int((self._settings.current.deadlines.consume + CLAIM_MARGIN_SECONDS) * MICRO)

    @property
    def answers_kept_us(self) -> int:
        """How long an answer is kept under its idempotency key."""
        return int(self._settings.current.token.idempotency.retention * MICRO)

    @property
    def hold_us(self) -> int:
        """How long a consume's reservation lives."""
        return int((self._settings.current.deadlines.consume + HOLD_MARGIN_SECONDS) * MICRO)

    @property
    def buckets_fail_open(self) -> bool:
        """Whether calls go on while no bucket can be asked."""
        return self._settings.current.token.bucket.fail_open

    @property
    def quotas_enforced(self) -> bool:
        """Whether pools are asked at all."""
        return self._settings.current.feature.flags.token_service.quota_enforcement

    @property
    def purchases_enabled(self) -> bool:
        """Whether tokens may be bought."""
        return self._settings.current.feature.flags.token_service.saga_purchases

    @property
    def purchases_fail(self) -> bool:
        """The switch that makes every purchase fail after its authorisation."""
        return self._settings.current.token.saga.simulate_failure

    @property
    def lease_us(self) -> int:
        """How long a purchase is one process' alone to advance."""
        return int(self._settings.current.token.saga.lease * MICRO)

    @property
    def stale_us(self) -> int:
        """How long a purchase may stand still before it is called stale."""
        return int(self._settings.current.token.saga.stale_after * MICRO)


def _merged(general: BucketSettings, own: ProviderBucketSettings) -> BucketSettings:
    return general.model_copy(update=own.model_dump(exclude_none=True))


def _rules(bucket: BucketSettings, tiers: Iterable[Tier]) -> dict[Tier, BucketRule]:
    return {tier: _rule(bucket, tier) for tier in tiers}


def _rule(bucket: BucketSettings, tier: Tier) -> BucketRule:
    # Rounded: 100 x 1.15 is 114.99999999999999 in binary.
    rate = bucket.leak_rate_per_second * tier.bucket_leak_rate_multiplier
    return BucketRule(
        strategy=tier.bucket_strategy or bucket.strategy,
        capacity=max(1, round(bucket.capacity * tier.bucket_capacity_multiplier)),
        rate=max(1, round(rate * MICRO)),
        window_us=bucket.window_seconds * MICRO,
    )
