"""Discovery and registration by the setting `registry`."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from mesh.discovery.instances import Discovery
from mesh.settings import Live, MeshSettings
from mesh.storage.registry import Registry


class Announcement(Protocol):
    """An instance that others are told of."""

    def serving(self) -> None:
        """Tells that it takes calls from now on."""
        ...


class Registration(Protocol):
    """Tells others where this instance is."""

    def announced(self) -> AbstractAsyncContextManager[Announcement]:
        """Others know of it during the block.

        At the end of the block they have been told otherwise, and had the time to notice.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where others are, and how they learn where this instance is."""

    discovery: Discovery
    registration: Registration


REGISTRIES: Registry[Found] = Registry(
    "registry",
    {"static": "mesh.discovery.static:opened", "consul": "mesh.discovery.consul:opened"},
)


def found(settings: Live[MeshSettings], service: str) -> AbstractAsyncContextManager[Found]:
    """What the setting `registry` names, for this service."""
    url = settings.current.registry
    return REGISTRIES.open(url, settings=settings, service=service)
