"""Tells Consul where this instance is, and that it is still there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from prometheus_client import Gauge

from mesh.consul.client import FAILURES, told, within
from mesh.discovery.entry import Entry, Place
from mesh.discovery.outage import Outage
from mesh.resilience.backoff import Backoff
from mesh.workers import Workers

# How often it is looked for: an agent that has lost its data is told again within this.
LOOK_SECONDS = 1.0
# A drain does not wait for a Consul that is away, and this long for callers: their
# queries return as soon as an instance has gone.
LEAVE_SECONDS = 2.0
NOTICE_SECONDS = 1.0
BACKOFF = Backoff(first=0.1, cap=1.0)
REGISTERED = Gauge("discovery_registered", "1 while Consul knows this instance.")
_WHO = "registration"
log = structlog.get_logger("discovery")


class ConsulRegistration:
    """Registers an instance, again whenever Consul has lost it, and deregisters it at the end.

    Nothing that Consul does ends the service: without Consul it serves those
    who know it, and registers when Consul is there.
    """

    def __init__(
        self,
        *,
        client: Any,
        entry: Entry,
        agent: tuple[str, int],
        outage: Outage,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client, self._entry, self._agent = client, entry, agent
        self._outage, self._pause = outage, pause
        self._place: Place | None = None
        self._serving = False
        # What Consul was told last.
        self._said: bool | None = None
        self._changed = asyncio.Event()

    def serving(self) -> None:
        """Says so in Consul, before its first check can."""
        self._serving = True
        self._changed.set()

    @asynccontextmanager
    async def announced(self) -> AsyncIterator["ConsulRegistration"]:
        """Registered during the block; see `Registration`."""
        try:
            async with Workers([self._keep]).running():
                yield self
        finally:
            await self._leave()

    async def _keep(self) -> None:
        failures = 0
        while True:
            try:
                await self._ensure()
            except FAILURES as error:
                failures += 1
                REGISTERED.set(0)
                self._outage.failed(_WHO, error)
                await self._pause(BACKOFF.delay(failures))
            else:
                failures = 0
                self._outage.answered(_WHO)
                await self._until_changed()

    async def _until_changed(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._changed.wait()
        self._changed.clear()

    async def _ensure(self) -> None:
        if self._place is None:
            self._place = await asyncio.to_thread(self._entry.place, self._agent)
        # py-consul's way to ask for one by its id shows no token.
        ours = f'ID == "{self._place.id}"'
        known = await within(self._client.agent.services(filter_expr=ours))
        if self._said != self._serving or not self._place.is_as(known.get(self._place.id)):
            await self._register(self._place, serving=self._serving)
        REGISTERED.set(1)

    async def _register(self, place: Place, *, serving: bool) -> None:
        definition = place.definition(serving=serving)
        await within(self._client.agent.service.register(**definition))
        self._said = serving
        log.info("registered in Consul", instance=place.id, serving=serving)

    async def _leave(self) -> None:
        REGISTERED.set(0)
        if self._place is None:
            return
        try:
            leaving = self._client.agent.service.deregister(self._place.id)
            await within(leaving, LEAVE_SECONDS)
        except FAILURES as error:
            log.warning("not deregistered, Consul's check will tell", error=told(error))
            return
        await self._pause(NOTICE_SECONDS)
