"""What `leaky admin` has done by svc_auth's own code, in a process of its own."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from mesh.cli.data import environment, private_folder
from mesh.cli.refusal import RefusedError
from mesh.cli.services import entry, settings_models
from mesh.errors import AppError
from mesh.settings import Live, MeshSettings
from mesh.storage.registry import UnknownSchemeError
from mesh.storage.schema import WrongDataError
from mesh.telemetry import logs

T = TypeVar("T")


def opened(name: str, data: Path | None) -> tuple[Callable[..., Any], MeshSettings]:
    """What a command runs, and the settings that it takes, as its annotations say."""
    work = entry("leaky.admin", name).load()
    model: type[MeshSettings] = get_type_hints(work)["settings"]
    service = next(known for known, each in settings_models().items() if each is model)
    settings = Live.read(model, environment(data), service).current
    logs.configure("admin", "warning")
    private_folder(settings.data)
    return work, settings


def done(work: Coroutine[Any, Any, T]) -> T:
    """What comes of it. Raises RefusedError."""
    try:
        return asyncio.run(work)
    except (AppError, WrongDataError, UnknownSchemeError) as error:
        raise RefusedError(str(error)) from error
