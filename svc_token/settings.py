"""The settings of svc_token, by the names of docs/configuration.md."""

from pydantic import Field, model_validator

from mesh.settings import MeshSettings, Ports, Section, live
from mesh.settings.model import Duration, database
from providers.settings import EgressSettings, ProviderSettings, default_providers
from svc_token.domain.bucket import Strategy

MOST_TOKENS = 1_000_000_000
LONGEST_WINDOW_SECONDS = 31_536_000


class BucketSettings(Section):
    """token.bucket.*; capacity in tokens, the rate in tokens a second.

    A bucket that nobody used for `entry_ttl` is forgotten once it is empty.
    """

    strategy: Strategy = live(Strategy.LEAKY_BUCKET)
    capacity: int = live(1000, ge=1, le=MOST_TOKENS)
    leak_rate_per_second: float = live(10.0, gt=0, le=MOST_TOKENS)
    window_seconds: int = live(60, ge=1, le=LONGEST_WINDOW_SECONDS)
    store: str = "memory://"
    entry_ttl: Duration = 6 * 3600.0
    # Whether calls pass while the store is away.
    fail_open: bool = live(False)


class ProviderBucketSettings(Section):
    """providers.{name}.bucket.*; what is not set is as in token.bucket.*."""

    strategy: Strategy | None = live(None)
    capacity: int | None = live(None, ge=1, le=MOST_TOKENS)
    leak_rate_per_second: float | None = live(None, gt=0, le=MOST_TOKENS)
    window_seconds: int | None = live(None, ge=1, le=LONGEST_WINDOW_SECONDS)


class MeteredProviderSettings(ProviderSettings):
    """One provider, and how the buckets of its users differ."""

    bucket: ProviderBucketSettings = ProviderBucketSettings()


def _providers() -> dict[str, MeteredProviderSettings]:
    plain = default_providers().items()
    return {name: MeteredProviderSettings(**provider.model_dump()) for name, provider in plain}


class TierSettings(Section):
    """One level of token.tiers.levels; its strategy is the others' where it is not set."""

    priority: int = live(0)
    bucket_strategy: Strategy | None = live(None)
    bucket_capacity_multiplier: float = live(1.0, gt=0, le=1_000_000)
    bucket_leak_rate_multiplier: float = live(1.0, gt=0, le=1_000_000)
    quota_max_tokens: int = live(100_000, ge=0, le=1_000_000_000_000)


def _levels() -> dict[str, TierSettings]:
    return {
        "USER": TierSettings(priority=10),
        "ADMIN": TierSettings(
            priority=100,
            bucket_capacity_multiplier=2.0,
            bucket_leak_rate_multiplier=2.0,
            quota_max_tokens=500_000,
        ),
    }


class TiersSettings(Section):
    """token.tiers.*."""

    default_tier: str = live("USER")
    levels: dict[str, TierSettings] = Field(default_factory=_levels)


class QuotaSettings(Section):
    """token.quota.*; a pool with less than `low_fraction` of its tokens left is counted as low."""

    window: Duration = Field(default=24 * 3600.0, ge=1)
    low_fraction: float = live(0.1, ge=0, le=1)


class UsageSettings(Section):
    """token.usage.*."""

    sink: str = "grpc://"
    topic: str = "token-usage"


class SagaSettings(Section):
    """token.saga.*.

    `lease` is how long a purchase is one process' alone to advance, and so the
    longest that one waits whose process is gone; `recovery_interval` is how often
    such are looked for at the least, `stale_after` when one that stands still is
    counted as stale.
    """

    topic: str = "token-purchase-events"
    lease: Duration = live(10.0, ge=1)
    stale_after: Duration = live(600.0)
    recovery_interval: Duration = live(60.0, ge=1)
    simulate_failure: bool = live(False)


class IdempotencySettings(Section):
    """token.idempotency.*."""

    retention: Duration = live(24 * 3600.0, ge=24 * 3600)


class TokenSection(Ports):
    """token.*."""

    store: str = database()
    bucket: BucketSettings = BucketSettings()
    tiers: TiersSettings = TiersSettings()
    quota: QuotaSettings = QuotaSettings()
    usage: UsageSettings = UsageSettings()
    saga: SagaSettings = SagaSettings()
    idempotency: IdempotencySettings = IdempotencySettings()


class TokenFlags(Section):
    """feature.flags.token-service.*."""

    quota_enforcement: bool = live(True)
    saga_purchases: bool = live(True)


class Flags(Section):
    """feature.flags.*."""

    token_service: TokenFlags = TokenFlags()


class Feature(Section):
    """feature.*."""

    flags: Flags = Flags()


class TokenSettings(MeshSettings):
    """Everything that svc_token reads."""

    token: TokenSection = TokenSection(http_port=8082, grpc_port=9082)
    providers: dict[str, MeteredProviderSettings] = Field(default_factory=_providers)
    provider: EgressSettings = EgressSettings()
    feature: Feature = Feature()

    @property
    def store_url(self) -> str:
        """`token.store`, by default a file under the data folder."""
        return self.token.store or f"sqlite:///{self.data / 'token.db'}"

    @model_validator(mode="after")
    def _default_tier_exists(self) -> "TokenSettings":
        if self.token.tiers.default_tier not in self.token.tiers.levels:
            raise ValueError("token.tiers.default-tier names no level of token.tiers.levels")
        return self

    @model_validator(mode="after")
    def _topics_differ(self) -> "TokenSettings":
        # What is purchases' has no receiver on the gRPC way, and would be all of it.
        if self.token.usage.topic == self.token.saga.topic:
            raise ValueError("token.usage.topic and token.saga.topic must differ")
        return self
