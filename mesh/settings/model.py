"""The settings that every service shares, and the pieces to write one's own with.

A field `leak_rate_per_second` of a section at `token.bucket` is the setting
`token.bucket.leak-rate-per-second`, in the environment
LEAKY_TOKEN_BUCKET_LEAK_RATE_PER_SECOND. Durations are texts such as "250ms".
"""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from mesh.identity.profile import Profile

# To listen on all of a machine's addresses.
EVERY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104 compared, not bound
# Names of the longest service still fit before it.
_LONGEST_DOMAIN = 180
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# A hundred years: with much more a moment has no date, and no 64 bits of microseconds.
LONGEST_DURATION_SECONDS = 36_500 * 86_400.0
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(value: object) -> object:
    """Seconds, from a number of seconds or a text such as "250ms", "10m", "24h"."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d)?", value.strip())
    if match is None:
        message = f"{value!r} is no duration; write for example 250ms, 10s, 5m or 24h"
        raise ValueError(message)
    return float(match[1]) * _UNITS[match[2] or "s"]


Duration = Annotated[
    float, BeforeValidator(parse_duration), Field(ge=0, le=LONGEST_DURATION_SECONDS)
]


def live(default: Any, **constraints: Any) -> Any:
    """A field that may change while the service runs."""
    return Field(default, json_schema_extra={"live": True}, **constraints)


def database() -> Any:
    """A field that says where a service's tables are.

    asyncpg shows a PostgreSQL there PGPASSWORD, where the URL holds no password.
    """
    return Field(default="", json_schema_extra={"shown_variables": ["PGPASSWORD"]})


def _kebab(name: str) -> str:
    return name.replace("_", "-")


class Section(BaseModel):
    """A group of settings under a dotted prefix."""

    model_config = ConfigDict(
        alias_generator=_kebab, populate_by_name=True, extra="ignore", frozen=True
    )


Port = Annotated[int, Field(ge=1, le=65535)]
Secret = Annotated[str, Field(json_schema_extra={"secret": True}, repr=False)]


class GrpcPorts(Section):
    """Where a service listens; the health port is the gRPC port + 100 unless set.

    `consul_token` is what the service shows Consul, where the registry is one;
    without it, what is in the file.
    """

    grpc_port: Port = 9080
    health_port: Port | None = None
    consul_token: Secret = ""
    consul_token_file: str = ""

    @property
    def effective_health_port(self) -> int:
        """Where health is asked for without a certificate, in `secure`."""
        return self.health_port or self.grpc_port + 100


class Ports(GrpcPorts):
    """A service with one REST port."""

    http_port: Port = 8080


class Jwt(Section):
    """Whose tokens are believed."""

    issuer: str = "leaky-tokens-auth"


def _issuer(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not text.isascii():
        raise ValueError("must be an http or https URL")
    # RFC 8414, section 2, and OpenID Connect Discovery, section 3; paths are joined to it.
    if parts.query or parts.fragment or "@" in parts.netloc or text.endswith(("/", "?", "#")):
        raise ValueError("must have no user, query or fragment, and no slash at its end")
    return text


class Oidc(Section):
    """OpenID Connect's own issuer is a URL: where svc_auth is reached from outside."""

    issuer: Annotated[str, AfterValidator(_issuer)] = "http://127.0.0.1:8081"


class AuthPorts(Ports):
    """What every service knows of svc_auth."""

    jwt: Jwt = Jwt()
    oidc: Oidc = Oidc()


class ApiKeyCache(Section):
    """How long a verified API key is remembered; a revocation ends it at once."""

    cache_ttl: Duration = Field(default=120.0, le=120.0)


def listed(text: str) -> str:
    """A list, comma-separated, without the blanks around its parts."""
    return ",".join(part.strip() for part in text.split(",") if part.strip())


def _networks(text: str) -> str:
    for part in filter(None, listed(text).split(",")):
        ipaddress.ip_network(part, strict=False)
    return listed(text)


class GatewayPorts(Ports):
    """What every service knows of the gateway."""

    # Networks, comma-separated, whose X-Forwarded-For is believed, here and on each REST port.
    trusted_proxies: Annotated[str, AfterValidator(_networks)] = ""
    api_key: ApiKeyCache = ApiKeyCache()


class StubPort(Section):
    """Where one provider's double listens for HTTP."""

    http_port: Port


class StubPorts(GrpcPorts):
    """Where the doubles listen."""

    qwen: StubPort = StubPort(http_port=8091)
    gemini: StubPort = StubPort(http_port=8092)
    openai: StubPort = StubPort(http_port=8093)
    grpc_port: Port = 9091


class Deadlines(Section):
    """How long a call may take, by class."""

    edge: Duration = live(5.0)
    mesh: Duration = live(2.0)
    consume: Duration = live(4.0)
    purchase: Duration = live(3.0)


class Cors(Section):
    """Which browser origins may call; comma-separated."""

    allowed_origins: str = ""


SHORTEST_SECRET = 16


def long_enough(secret: str) -> str:
    """The secret, if it is empty or cannot be guessed."""
    if secret and len(secret) < SHORTEST_SECRET:
        message = f"must have at least {SHORTEST_SECRET} characters"
        raise ValueError(message)
    return secret


class Actuator(Section):
    """The bearer that opens the actuator in `secure` beyond loopback."""

    token: Secret = ""


def _address(text: str) -> str:
    if text != "localhost":
        ipaddress.ip_address(text)
    return text


def _on_loopback(address: str) -> bool:
    return address == "localhost" or ipaddress.ip_address(address).is_loopback


def _private(issuer: str) -> bool:
    parts = urlsplit(issuer)
    try:
        return parts.scheme == "https" or _on_loopback(parts.hostname or "")
    except ValueError:
        return False


class Mesh(Section):
    """What all processes of one system have in common, and where this one is.

    `secret` is what gateways that share one count of requests hash callers' addresses under.
    """

    secret: Annotated[Secret, AfterValidator(long_enough)] = ""
    max_in_flight: int = live(512, ge=1)
    # REST requests, whatever the event loop says.
    max_requests: int = live(4096, ge=1)
    # Whether calls to another process go over one stream, or each by itself.
    multiplex: bool = True
    drain_grace: Duration = 5.0
    # A start waits this long for svc_auth before it goes on without.
    auth_wait: Duration = 20.0
    # Where health is asked for without a certificate, in `secure`.
    health_address: Annotated[str, AfterValidator(_address)] = "127.0.0.1"
    # What the registry tells others; the bind address unless set.
    advertise_address: str = ""
    # Which of several processes of a service on one data folder this is.
    instance: Annotated[int, Field(ge=1)] = 1
    # Whether other processes of the service listen on the same REST port.
    share_http_port: bool = False
    # REST of this process alone, beside a shared port: whose metrics it tells is known there.
    own_http_port: Annotated[int, Field(ge=0, le=65_535)] = 0


def _trust_domain(text: str) -> str:
    labels = text.split(".")
    if len(text) > _LONGEST_DOMAIN or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("must be a domain name in lower case, such as leaky.internal")
    return text


class Pki(Section):
    """The certificates that services show each other in `secure`.

    `ca` and `leaves` are folders; without them both are in the data folder.
    """

    trust_domain: Annotated[str, AfterValidator(_trust_domain)] = "leaky.internal"
    leaf_ttl: Duration = Field(default=86_400.0, ge=60.0, le=90 * 86_400.0)
    ca: str = ""
    leaves: str = ""


def _collector(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.path):
        raise ValueError("must be http://HOST:PORT or https://HOST:PORT")
    if "@" in parts.netloc:
        raise ValueError("must hold no credentials; OTEL_EXPORTER_OTLP_HEADERS takes them")
    return text


class Tracing(Section):
    """Which calls are followed, and where that is told, by OTLP over gRPC; off without it."""

    endpoint: Annotated[str, AfterValidator(_collector)] = Field(
        default="",
        json_schema_extra={
            "shown_variables": ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"]
        },
    )
    # Of those whose callers say nothing of it.
    sample_ratio: float = live(0.01, ge=0.0, le=1.0)


class Log(Section):
    """Logging."""

    level: Literal["debug", "info", "warning", "error"] = live("info")


def _registry(text: str) -> str:
    try:
        # Asked for alone, it raises where it is no number or none of a port.
        port = urlsplit(text).port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("must be static:// or consul://HOST:PORT")
    return text


def own_host(bound: str) -> str:
    """Where this machine reaches what listens on an address."""
    return "127.0.0.1" if bound in EVERY_ADDRESS else bound


class MeshSettings(Section):
    """What every service reads. A service's own settings extend this."""

    profile: Profile | None = None
    data: Path = Path(".leaky")
    bind_address: Annotated[str, AfterValidator(_address)] = "127.0.0.1"
    allow_insecure_bind: bool = False
    registry: Annotated[
        str, Field(pattern=r"^(static://|consul://[^/?#@]+)$"), AfterValidator(_registry)
    ] = "static://"
    gateway: GatewayPorts = GatewayPorts(http_port=8080, grpc_port=9080)
    auth: AuthPorts = AuthPorts(http_port=8081, grpc_port=9081)
    token: Ports = Ports(http_port=8082, grpc_port=9082)
    analytics: Ports = Ports(http_port=8083, grpc_port=9083)
    stubs: StubPorts = StubPorts()
    deadlines: Deadlines = Deadlines()
    cors: Cors = Cors()
    actuator: Actuator = Actuator()
    mesh: Mesh = Mesh()
    pki: Pki = Pki()
    log: Log = Log()
    tracing: Tracing = Tracing()

    @property
    def uses_consul(self) -> bool:
        """Whether discovery and live settings are Consul's."""
        return self.registry.startswith("consul://")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return _on_loopback(self.bind_address)

    @property
    def health_on_loopback(self) -> bool:
        """Whether only this machine can ask for health without a certificate."""
        return _on_loopback(self.mesh.health_address)

    @property
    def own_host(self) -> str:
        """Where this machine reaches what listens on the bind address."""
        return own_host(self.bind_address)

    @property
    def effective_profile(self) -> Profile:
        """The profile, `local` on loopback and `secure` elsewhere unless set."""
        return self.profile or (Profile.LOCAL if self.loopback else Profile.SECURE)

    @model_validator(mode="after")
    def _no_passwords_in_the_clear(self) -> "MeshSettings":
        # OpenID Connect Core, section 3.1.2: with TLS; on loopback nobody is in between.
        if self.effective_profile is Profile.SECURE and not _private(self.auth.oidc.issuer):
            message = "auth.oidc.issuer must be an https URL in the profile secure, or on loopback"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _no_playground_on_a_network(self) -> "MeshSettings":
        if self.effective_profile is Profile.LOCAL and not (
            self.loopback or self.allow_insecure_bind
        ):
            message = (
                f"profile local on {self.bind_address} would let anyone on the network in;"
                " use profile secure, or set LEAKY_ALLOW_INSECURE_BIND=1"
            )
            raise ValueError(message)
        return self
