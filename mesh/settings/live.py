"""Settings that follow their source while the service runs."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import structlog
from prometheus_client import Counter, Gauge
from pydantic import ValidationError

from mesh.settings.file import FileSource
from mesh.settings.model import MeshSettings
from mesh.settings.names import names_of
from mesh.settings.remote import load_shared
from mesh.settings.source import SettingsError, explain, load
from mesh.settings.sources import Nowhere, Pause, Source

S = TypeVar("S", bound=MeshSettings)
log = structlog.get_logger("settings")
REFUSED = Counter("settings_refused_total", "Settings changes refused; the last good ones stayed.")
AT_ODDS = Gauge(
    "settings_source_refused", "1 while the source of settings holds what is refused, else 0."
)


class Live(Generic[S]):
    """The settings as they stand: read `current` at each use, do not keep it."""

    def __init__(self, model: type[S], read: "_Reading[S]", source: Source, settings: S) -> None:
        self._model = model
        self._read = read
        self._source = source
        self._listeners: list[Callable[[S], None]] = []
        self.current = settings

    @classmethod
    def read(cls, model: type[S], env: Mapping[str, str], service: str | None = None) -> "Live[S]":
        """From the environment, and from where it says that the other values are.

        With a Consul registry that is the KV folder of `service`; this waits for
        it, so not on a running loop. MeshSettings alone are each process's own
        and need none. Raises SettingsError, and SourceAwayError when Consul does
        not answer and no last good values are there.
        """
        start = load(MeshSettings, env, {})
        source = _source(start, model, service)
        reading = _Reading(model, env, shared=start.uses_consul)
        settings = source.begin(_Check(reading, start.registry), refuse)
        return cls(model, reading, source, settings)

    def on_change(self, listener: Callable[[S], None]) -> None:
        """Calls the listener with the new settings after each change."""
        self._listeners.append(listener)

    def apply(self, values: Mapping[str, str]) -> bool:
        """Takes new values over where they are live; a bad one changes nothing.

        Tells whether they were taken over.
        """
        try:
            self.current = self._merged(self._read(values))
        except SettingsError as error:
            refuse(error)
            return False
        AT_ODDS.set(0)
        for listener in self._listeners:
            listener(self.current)
        return True

    def refuse(self, error: SettingsError) -> None:
        """Notes that what the source holds cannot be taken over."""
        refuse(error)

    def _merged(self, new: S) -> S:
        tree = new.model_dump(by_alias=True)
        old = self.current.model_dump(by_alias=True)
        names = list(names_of(self._model))
        for name in names:
            if not name.live:
                for path in _paths(name.path, tree):
                    _keep(tree, old, path)
        try:
            return self._model.model_validate(tree)
        except ValidationError as error:
            # New live values may not go with old ones that stay.
            raise SettingsError(*explain(error, names)) from None

    async def follow(self, pause: Pause = asyncio.sleep) -> None:
        """Follows the source until cancelled."""
        await self._source.follow(self, pause)


def refuse(error: SettingsError) -> None:
    """Counts and tells of values that cannot be taken over; no secret is in the error."""
    REFUSED.inc()
    AT_ODDS.set(1)
    log.warning("settings refused, the last good ones stay", error=str(error))


class _Reading(Generic[S]):
    """Makes settings of a source's values; `shared` is one that others may write to."""

    def __init__(self, model: type[S], env: Mapping[str, str], *, shared: bool) -> None:
        self._model, self._env = model, env
        self._shared = shared

    def __call__(self, values: Mapping[str, str]) -> S:
        return (load_shared if self._shared else load)(self._model, self._env, values)


class _Check(Generic[S]):
    """Makes the first settings."""

    def __init__(self, read: _Reading[S], registry: str) -> None:
        self._read, self._registry = read, registry

    def __call__(self, values: Mapping[str, str]) -> S:
        settings = self._read(values)
        # The source was found through it.
        if settings.registry != self._registry:
            raise SettingsError("registry is chosen in the environment: set LEAKY_REGISTRY")
        return settings


def _source(start: MeshSettings, model: type[MeshSettings], service: str | None) -> Source:
    if not start.uses_consul:
        return FileSource(start.data)
    if model is MeshSettings:
        return Nowhere()
    if service is None:
        message = f"{model.__name__} are kept in Consul KV by service; whose are asked for?"
        raise ValueError(message)
    # py-consul and its HTTP client come with it, which others never need.
    from mesh.consul.settings import kv_source  # noqa: PLC0415

    return kv_source(start, list(names_of(model)), service)


def _paths(path: tuple[str | None, ...], tree: Mapping[str, Any]) -> Iterator[list[str]]:
    """A name's path with each key that the tree has for a free part."""
    for part in tree if path[0] is None else (path[0],):
        rests = _paths(path[1:], tree[part]) if path[1:] else ([],)
        for rest in rests:
            yield [part, *rest]


def _keep(tree: dict[str, Any], old: Mapping[str, Any], path: list[str]) -> None:
    for part in path[:-1]:
        if part not in old:
            return
        tree, old = tree[part], old[part]
    last = path[-1]
    if last in old and tree[last] != old[last]:
        log.warning("setting needs a restart to take effect", setting=".".join(path))
        tree[last] = old[last]
