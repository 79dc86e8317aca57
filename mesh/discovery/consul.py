"""Services as Consul knows them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from mesh.clock import Clock, SystemClock
from mesh.consul import client as consul_client
from mesh.discovery.entry import Entry
from mesh.discovery.follower import Follower
from mesh.discovery.instances import Instances
from mesh.discovery.outage import Outage
from mesh.discovery.registration import ConsulRegistration
from mesh.discovery.registry import Found
from mesh.discovery.remembered import Remembered
from mesh.settings import Live, MeshSettings
from mesh.workers import Workers


class ConsulDiscovery:
    """Follows each service that is asked for, from then on.

    `prefix` stands before the names in Consul, so that several systems can
    share one.
    """

    def __init__(
        self,
        *,
        client: Any,
        settings: Live[MeshSettings],
        outage: Outage,
        prefix: str = "",
        clock: Clock | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client, self._settings, self._outage = client, settings, outage
        self._prefix, self._clock, self._pause = prefix, clock or SystemClock(), pause
        self._remembered = Remembered(settings.current.data)
        self._known: dict[str, Instances] = {}
        self._asked: asyncio.Queue[str] = asyncio.Queue()

    def instances(self, service: str) -> Instances:
        """The instances that Consul calls healthy, and until it answers those known last.

        Raises AttributeError for a service that has no settings.
        """
        if service not in self._known:
            getattr(self._settings.current, service)
            self._known[service] = Instances(self._remembered.read(service))
            self._asked.put_nowait(service)
        return self._known[service]

    async def run(self) -> None:
        """Follows what was asked for until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                service = await self._asked.get()
                tasks.create_task(self._follower(service).run())

    def _follower(self, service: str) -> Follower:
        return Follower(
            client=self._client,
            service=service,
            name=f"{self._prefix}{service}",
            instances=self._known[service],
            remembered=self._remembered,
            outage=self._outage,
            clock=self._clock,
            pause=self._pause,
        )


@asynccontextmanager
async def opened(
    _url: str, *, settings: Live[MeshSettings], service: str, prefix: str = ""
) -> AsyncIterator[Found]:
    """What `consul://HOST:PORT` stands for."""
    current = settings.current
    outage = Outage()
    async with consul_client.opened(current, service) as client:
        discovery = ConsulDiscovery(client=client, settings=settings, outage=outage, prefix=prefix)
        registration = ConsulRegistration(
            client=client,
            entry=Entry(service=service, name=f"{prefix}{service}", settings=current),
            agent=consul_client.address(current),
            outage=outage,
        )
        async with Workers([discovery.run]).running():
            yield Found(discovery=discovery, registration=registration)
