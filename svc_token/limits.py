"""The live settings as the use cases see them."""

from dataclasses import dataclass

from leaky.common.v1 import reason_pb2
from mesh.errors import AppError, FieldViolation
from mesh.settings import Live
from svc_token.domain.bucket import MICRO, BucketRule
from svc_token.domain.tiers import Tier, tier_of
from svc_token.domain.window import Window
from svc_token.ports import ProviderFacts
from svc_token.settings import TokenSettings

# A consume's own deadline bounds its call; this long after it nobody comes back.
HOLD_MARGIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class LiveLimits:
    """Reads the settings at each question."""

    settings: Live[TokenSettings]

    def provider(self, name: str) -> None:
        """Raises AppError UNKNOWN_PROVIDER for one that is not configured."""
        if name not in self.settings.current.providers:
            known = ", ".join(sorted(self.settings.current.providers))
            message = f"unknown provider; there are {known}"
            raise AppError(
                reason_pb2.REASON_UNKNOWN_PROVIDER,
                message,
                violations=(FieldViolation(field="provider", message=message),),
            )

    def usable(self, name: str) -> None:
        """As `provider`, and AppError PROVIDER_DISABLED for one that is switched off."""
        self.provider(name)
        if not self.settings.current.providers[name].enabled:
            message = "the provider is switched off"
            raise AppError(reason_pb2.REASON_PROVIDER_DISABLED, message, retry_after=60)

    def bucket(self, roles: frozenset[str]) -> BucketRule:
        """The rate bucket of someone with these roles."""
        bucket = self.settings.current.token.bucket
        tier = self._tier(roles)
        rate = bucket.leak_rate_per_second * tier.bucket_leak_rate_multiplier
        return BucketRule(
            strategy=bucket.strategy,
            capacity=max(1, int(bucket.capacity * tier.bucket_capacity_multiplier)),
            rate=max(1, int(rate * MICRO)),
            window_us=bucket.window_seconds * MICRO,
        )

    def allowance(self, roles: frozenset[str]) -> int:
        """The tokens a window that these roles give."""
        return self._tier(roles).quota_max_tokens

    def window(self, now_us: int) -> Window:
        """The window that a moment falls into."""
        return Window.at(now_us, int(self.settings.current.token.quota.window * MICRO))

    def _tier(self, roles: frozenset[str]) -> Tier:
        tiers = self.settings.current.token.tiers
        levels = {name: Tier(**level.model_dump()) for name, level in tiers.levels.items()}
        return tier_of(roles, levels, tiers.default_tier)

    @property
    def hold_us(self) -> int:
        """How long a consume's reservation lives."""
        return int((self.settings.current.deadlines.consume + HOLD_MARGIN_SECONDS) * MICRO)

    @property
    def quotas_enforced(self) -> bool:
        """Whether pools are asked at all."""
        return self.settings.current.feature.flags.token_service.quota_enforcement

    @property
    def purchases_enabled(self) -> bool:
        """Whether tokens may be bought."""
        return self.settings.current.feature.flags.token_service.saga_purchases

    @property
    def purchases_fail(self) -> bool:
        """The switch that makes every purchase fail after its authorisation."""
        return self.settings.current.token.saga.simulate_failure

    def facts(self, name: str) -> ProviderFacts | None:
        """What is told of a provider; None for one that is not configured."""
        provider = self.settings.current.providers.get(name)
        if provider is None:
            return None
        return ProviderFacts(
            default_quota=provider.default_quota,
            rate_limit=provider.rate_limit,
            enabled=provider.enabled,
        )
