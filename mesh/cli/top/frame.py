"""What is shown at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Since the scrape before: calls a second, the share that failed, quantiles in seconds.

    NaN where there was no call.
    """

    rate: float
    errors: float
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An instance, or all of a service; `rest` and `grpc` are None before there are two scrapes.

    `seconds` is what its rates are over; `loop_lag` is the 99th percentile, in seconds.
    """

    service: str
    name: str
    url: str
    health: str
    problem: str
    seconds: float
    rest: Calls | None
    grpc: Calls | None
    in_flight: float
    shed: float
    loop_lag: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A path of the edge, or an RPC of a service."""

    service: str
    name: str
    calls: Calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """One that is not closed, and the instance it is in."""

    instance: str
    name: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The whole system; NaN stands for what no instance tells.

    Rates are a second, over `seconds` where instances are added up. What each process tells
    of the whole store (pools, outbox, sagas) is the largest that any tells.
    """

    at: str
    seconds: float
    services: tuple[Row, ...]
    instances: tuple[Row, ...]
    routes: tuple[Route, ...]
    breakers: tuple[Breaker, ...]
    breakers_closed: int
    pools_low: Mapping[str, float]
    pools_overdrawn: float
    outbox_depth: float
    outbox_lag: float
    outbox_parked: float
    sagas_unfinished: Mapping[str, float]
    sagas_stale: float
    sagas_ended: Mapping[str, float]
    problems: tuple[str, ...]
