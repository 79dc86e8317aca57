"""The settings `providers.{name}.*` and `provider.*`.

A service that calls providers takes them up in its own settings as the fields
`providers: dict[str, ProviderSettings] = Field(default_factory=default_providers)`
and `provider: EgressSettings = EgressSettings()`.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Protocol
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from mesh.settings import Section, live
from mesh.settings.model import Duration, StubPorts

Api = Literal["openai", "gemini", "qwen"]
_OWN_APIS: Mapping[str, Api] = {"openai": "openai", "gemini": "gemini", "qwen": "qwen"}


def _http_url(text: str) -> str:
    if not text:
        return text
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http:// or https:// URL")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must hold no credentials, query or fragment; the key is api-key")
    return text.rstrip("/")


class ProviderSettings(Section):
    """One provider. Quota and rate limit are informational.

    An empty `base_url` is the stub's address; the API's own path, such as
    /v1/chat/completions, is appended to it. An empty `api` is the provider's
    own where its name is one, else "openai"; an empty `model` the API's default.
    """

    # Who says where it is, is sent the key: others than who gave that may not.
    base_url: Annotated[str, AfterValidator(_http_url)] = Field(
        default="", json_schema_extra={"live": True, "shown": "api-key"}
    )
    default_quota: int = live(1000, ge=0)
    rate_limit: int = live(10, ge=1)
    enabled: bool = live(True)
    api: Api | Literal[""] = live("")
    model: str = live("", pattern=r"^[A-Za-z0-9._:/-]*$")
    api_key: str = Field(default="", json_schema_extra={"live": True, "secret": True})


def default_providers() -> dict[str, ProviderSettings]:
    """The providers there are without any setting."""
    return {
        "qwen": ProviderSettings(default_quota=1000, rate_limit=10),
        "gemini": ProviderSettings(default_quota=500, rate_limit=5),
        "openai": ProviderSettings(default_quota=2000, rate_limit=20),
    }


class BreakerSettings(Section):
    """When a provider's breaker opens and for how long."""

    window: int = Field(default=20, ge=1)
    min_calls: int = Field(default=10, ge=1)
    failure_percent: int = Field(default=50, ge=1, le=100)
    open: Duration = 10.0


class EgressSettings(Section):
    """How providers are called: `timeout` covers all tries and waits together."""

    timeout: Duration = 2.0
    # Tries, the first one included.
    retries: int = Field(default=3, ge=1)
    retry_wait: Duration = 0.25
    # Calls of one provider at once.
    bulkhead: int = Field(default=20, ge=1)
    breaker: BreakerSettings = BreakerSettings()


class HasProviders(Protocol):
    """Settings of a service that calls providers."""

    @property
    def providers(self) -> Mapping[str, ProviderSettings]:
        """By name."""
        ...

    @property
    def provider(self) -> EgressSettings:
        """How they are called."""
        ...

    @property
    def stubs(self) -> StubPorts:
        """Where the doubles listen."""
        ...

    @property
    def own_host(self) -> str:
        """Where this machine reaches what it listens on."""
        ...


def api_of(settings: HasProviders, name: str) -> Api:
    """Which wire format a provider speaks. Raises KeyError for an unknown one."""
    return settings.providers[name].api or _OWN_APIS.get(name, "openai")


def base_url(settings: HasProviders, name: str) -> str:
    """Where a provider is, without a slash at the end. Raises KeyError for an unknown one."""
    given = settings.providers[name].base_url
    if given:
        return given
    host = settings.own_host
    stub = getattr(settings.stubs, api_of(settings, name))
    return f"http://{f'[{host}]' if ':' in host else host}:{stub.http_port}"
