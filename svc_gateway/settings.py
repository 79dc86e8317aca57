"""The settings of svc_gateway, by the names of docs/configuration.md."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from mesh.settings import MeshSettings, Section, live
from mesh.settings.model import ApiKeyCache, Duration, GatewayPorts, listed


class KeyStrategy(StrEnum):
    """Whose requests count together."""

    # The verified API key or user, else the address.
    AUTO = "AUTO"
    # The verified user, over all its keys, else the address.
    USER = "USER"
    # The address, whoever calls from it.
    IP = "IP"


class RateLimitSettings(Section):
    """gateway.rate-limit.*; `routes` maps path prefixes to capacities of their own."""

    capacity: int = live(120, ge=1)
    window: Duration = live(60.0, ge=1)
    key_strategy: KeyStrategy = live(KeyStrategy.AUTO)
    # Comma-separated path prefixes that are not limited.
    whitelist_paths: Annotated[str, AfterValidator(listed)] = live("/actuator/health")
    routes: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default_factory=lambda: {"/api/v1/tokens": 200}, json_schema_extra={"live": True}
    )
    store: str = "memory://"
    # Whether requests pass while the store is away.
    fail_open: bool = live(False)


class ApiKeySettings(ApiKeyCache):
    """gateway.api-key.*."""

    header: str = Field(default="X-Api-Key", pattern=r"^[A-Za-z0-9-]+$")


class GatewaySection(GatewayPorts):
    """gateway.*."""

    rate_limit: RateLimitSettings = RateLimitSettings()
    api_key: ApiKeySettings = ApiKeySettings()


class GatewayFlags(Section):
    """feature.flags.gateway.*."""

    rate_limiting: bool = live(True)
    api_key_validation: bool = live(True)


class Flags(Section):
    """feature.flags.*."""

    gateway: GatewayFlags = GatewayFlags()


class Feature(Section):
    """feature.*."""

    flags: Flags = Flags()


class GatewaySettings(MeshSettings):
    """Everything that svc_gateway reads."""

    gateway: GatewaySection = GatewaySection(http_port=8080, grpc_port=9080)
    feature: Feature = Feature()
