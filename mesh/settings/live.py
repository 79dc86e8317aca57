"""Settings that follow their file while the service runs."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import structlog
from prometheus_client import Counter
from pydantic import ValidationError

from mesh.settings.model import MeshSettings
from mesh.settings.names import names_of
from mesh.settings.source import FILE, SettingsError, explain, load, read_file

S = TypeVar("S", bound=MeshSettings)
log = structlog.get_logger("settings")
REFUSED = Counter("settings_refused_total", "Settings changes refused; the last good ones stayed.")
POLL_SECONDS = 0.5


class Live(Generic[S]):
    """The settings as they stand: read `current` at each use, do not keep it."""

    def __init__(self, model: type[S], env: Mapping[str, str], settings: S) -> None:
        self._model = model
        self._env = env
        self._listeners: list[Callable[[S], None]] = []
        self._seen: tuple[int, ...] = ()
        self.current = settings

    @classmethod
    def read(cls, model: type[S], env: Mapping[str, str]) -> "Live[S]":
        """From the environment and the file in the data folder that it names."""
        live = cls(model, env, load(model, env, {}))
        # Noted before it is read, so that a change during the start is not missed.
        live._seen = live._stamp()
        live.current = load(model, env, read_file(live.current.data))
        return live

    def on_change(self, listener: Callable[[S], None]) -> None:
        """Calls the listener with the new settings after each change."""
        self._listeners.append(listener)

    def apply(self, values: Mapping[str, str]) -> None:
        """Takes new values over where they are live; a bad one changes nothing."""
        try:
            self.current = self._merged(load(self._model, self._env, values))
        except SettingsError as error:
            _refuse(error)
            return
        for listener in self._listeners:
            listener(self.current)

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
            raise SettingsError(explain(error, names)) from None

    async def follow(self, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Watches the file until cancelled."""
        while True:
            await pause(POLL_SECONDS)
            stamp = self._stamp()
            if stamp != self._seen:
                self._seen = stamp
                self._reread()

    def _stamp(self) -> tuple[int, ...]:
        try:
            stat = Path(self.current.data, FILE).stat()
        except OSError:
            return ()
        return (stat.st_mtime_ns, stat.st_size, stat.st_ino)

    def _reread(self) -> None:
        try:
            values = read_file(self.current.data)
        except SettingsError as error:
            _refuse(error)
            return
        self.apply(values)


def _refuse(error: SettingsError) -> None:
    REFUSED.inc()
    log.warning("settings refused, the last good ones stay", error=str(error))


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
