"""Follows the healthy instances of one service by blocking queries."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import Gauge

from mesh.clock import Clock
from mesh.consul.client import FAILURES, within
from mesh.discovery.answers import addresses, next_index
from mesh.discovery.instances import Instances
from mesh.discovery.outage import Outage
from mesh.discovery.remembered import Remembered
from mesh.resilience.backoff import Backoff

INSTANCES = Gauge("discovery_instances", "Instances that are called, by service.", ["service"])
AGE = Gauge(
    "discovery_answer_age_seconds", "Seconds since Consul last answered, by service.", ["service"]
)
STALE = Gauge("discovery_stale", "1 while what was known last serves, by service.", ["service"])

WAIT_SECONDS = 10.0
# Consul adds up to a sixteenth to the wait; the rest is for a slow moment.
LATE_SECONDS = WAIT_SECONDS / 16 + 5.0
# Between two answers, so that a burst of changes is no storm of queries.
GAP_SECONDS = 0.05
# After an answer that cannot be waited on.
UNINDEXED_SECONDS = 1.0
# How long the last known instances are called when Consul knows no healthy one: after
# its own restart that is so until the first checks, and under load checks come late.
# Nothing is lost by it, as an instance that is dead refuses the connection.
HOLD_SECONDS = 30.0
BACKOFF = Backoff(first=0.1, cap=1.0)
_UNREADABLE = (KeyError, TypeError)


class Follower:
    """Keeps `instances` of the service that Consul knows as `name` up to date."""

    def __init__(
        self,
        *,
        client: Any,
        service: str,
        name: str,
        instances: Instances,
        remembered: Remembered,
        outage: Outage,
        clock: Clock,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client, self._service, self._name = client, service, name
        self._instances, self._remembered = instances, remembered
        self._outage, self._clock, self._pause = outage, clock, pause
        self._index: int | None = None
        self._answered_at = clock.monotonic()
        self._empty_since = math.inf
        INSTANCES.labels(service).set_function(lambda: len(instances.current))
        AGE.labels(service).set_function(lambda: clock.monotonic() - self._answered_at)

    async def run(self) -> None:
        """Follows until cancelled."""
        failures = 0
        while True:
            try:
                await self._turn()
            except (*FAILURES, *_UNREADABLE) as error:
                failures += 1
                self._missed(error)
                await self._pause(BACKOFF.delay(failures))
            else:
                failures = 0
                await self._pause(GAP_SECONDS if self._index else UNINDEXED_SECONDS)

    async def _turn(self) -> None:
        wait = self._wait()
        call = self._client.health.service(
            self._name, passing=True, index=self._index, wait=f"{wait:.0f}s"
        )
        answered, nodes = await within(call, wait + LATE_SECONDS)
        found = await addresses(nodes)
        self._index = next_index(self._index, answered)
        self._answered_at = self._clock.monotonic()
        STALE.labels(self._service).set(0)
        self._outage.answered(self._service)
        self._take(found)

    def _wait(self) -> float:
        left = self._empty_since + HOLD_SECONDS - self._clock.monotonic()
        return min(WAIT_SECONDS, max(1.0, left))

    def _take(self, found: tuple[str, ...]) -> None:
        if found:
            self._empty_since = math.inf
            if found != self._instances.current:
                self._remembered.write(self._service, found)
        elif self._holds():
            return
        self._instances.update(found)

    def _holds(self) -> bool:
        """Whether an empty answer leaves what is known as it is."""
        self._empty_since = min(self._empty_since, self._answered_at)
        late = self._answered_at >= self._empty_since + HOLD_SECONDS
        return bool(self._instances.current) and not late

    def _missed(self, error: BaseException) -> None:
        # Another Consul, or an empty one, may answer next: its indexes are its own.
        self._index = None
        STALE.labels(self._service).set(1)
        self._outage.failed(self._service, error)
        self._instances.unanswered()
