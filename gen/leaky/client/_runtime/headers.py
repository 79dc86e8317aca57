"""What a call says in headers: who asks, and which trace it belongs to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# RFC 9110 without tabs and obs-text, which none of ours needs.
_VALUE = re.compile(r"([\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)?")


def checked(values: Mapping[str, str | None]) -> dict[str, str]:
    """The headers that are set; ValueError, without the value, for one that is no header."""
    present = {name: value for name, value in values.items() if value is not None}
    for name, value in present.items():
        if not _VALUE.fullmatch(value):
            raise ValueError(f"{name}: only ASCII without control characters can be sent")
    return present


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """An API key or a JWT, or neither; never shown."""

    api_key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.api_key is not None and self.token is not None:
            raise ValueError("give api_key or token, not both")
        if "" in {self.api_key, self.token}:
            raise ValueError("an empty credential")
        self.headers()

    def headers(self) -> dict[str, str]:
        """X-Api-Key or Authorization, or nothing."""
        headers = checked({"X-Api-Key": self.api_key, "token": self.token})
        token = headers.pop("token", None)
        return headers if token is None else {"Authorization": f"Bearer {token}"}

    @property
    def kind(self) -> str:
        """What there is, in words."""
        return "api key" if self.api_key else "token" if self.token else "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What ties a call to its caller's logs and traces (W3C Trace Context)."""

    traceparent: str | None = None
    tracestate: str | None = None
    correlation_id: str | None = None

    def headers(self) -> dict[str, str]:
        """The headers of what is set."""
        return checked(
            {
                "traceparent": self.traceparent,
                "tracestate": self.tracestate,
                "X-Correlation-Id": self.correlation_id,
            }
        )
