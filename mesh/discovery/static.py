"""Addresses from settings: one instance of each service, where its ports say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mesh.discovery.instances import Instances, address
from mesh.discovery.registry import Found
from mesh.settings import Live, MeshSettings


class StaticDiscovery:
    """Finds services by the `{service}.grpc-port` settings, on the bind address."""

    def __init__(self, settings: Live[MeshSettings]) -> None:
        self._settings = settings
        self._known: dict[str, Instances] = {}

    def instances(self, service: str) -> Instances:
        """The one instance that the settings tell of.

        Raises AttributeError for a service that has no settings.
        """
        if service not in self._known:
            self._known[service] = Instances([self._address(service)])
        return self._known[service]

    def _address(self, service: str) -> str:
        settings = self._settings.current
        return address(settings.own_host, getattr(settings, service).grpc_port)


class Unregistered:
    """There is nobody to tell: others know the address by their own settings."""

    @asynccontextmanager
    async def announced(self) -> AsyncIterator["Unregistered"]:
        """Nothing."""
        yield self

    def serving(self) -> None:
        """Nothing."""


@asynccontextmanager
async def opened(_url: str, *, settings: Live[MeshSettings], service: str) -> AsyncIterator[Found]:
    """What `static://` stands for."""
    del service
    yield Found(discovery=StaticDiscovery(settings), registration=Unregistered())
