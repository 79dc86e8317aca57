"""The services and their settings, as the installed package names them."""

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, cast

from mesh.cli.refusal import USAGE, RefusedError
from mesh.settings import MeshSettings

if TYPE_CHECKING:  # the runtime is much to import for a command that only asks
    from mesh.service import Service

# In the order they drain: a caller before those it calls.
NAMES = ("gateway", "token", "analytics", "auth", "stubs")


def service(name: str) -> "Service[Any]":
    """The service of this name, with all it needs imported. Raises RefusedError."""
    check_name(name)
    return cast("Service[Any]", entry("leaky.services", name).load())


def check_name(name: str) -> None:
    """Raises RefusedError, which lists the services that there are."""
    if name not in NAMES:
        message = f"there is no service {name}; there are {', '.join(NAMES)}"
        raise RefusedError(message, code=USAGE)


def settings_models() -> dict[str, type[MeshSettings]]:
    """Each service's settings, without importing the service itself."""
    return {name: entry("leaky.settings", name).load() for name in NAMES}


def entry(group: str, name: str) -> EntryPoint:
    """What the installed package offers under this name. Raises RefusedError."""
    for found in entry_points(group=group, name=name):
        return found
    raise RefusedError(f"{name} ({group}) is not installed; run make run, or pip install -e .")
