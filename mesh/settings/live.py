"""Settings that follow their file while the service runs."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import structlog
from prometheus_client import Counter

from mesh.settings.model import MeshSettings
from mesh.settings.names import names_of
from mesh.settings.source import FILE, SettingsError, load, read_file

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
        self.current = settings

    @classmethod
    def read(cls, model: type[S], env: Mapping[str, str]) -> "Live[S]":
        """From the environment and the file in the data folder that it names."""
        data = load(model, env, {}).data
        return cls(model, env, load(model, env, read_file(data)))

    def on_change(self, listener: Callable[[S], None]) -> None:
        """Calls the listener with the new settings after each change."""
        self._listeners.append(listener)

    def apply(self, values: Mapping[str, str]) -> None:
        """Takes new values over where they are live; a bad one changes nothing."""
        try:
            settings = load(self._model, self._env, values)
        except SettingsError as error:
            REFUSED.inc()
            log.warning("settings refused, the last good ones stay", error=str(error))
            return
        self.current = self._model.model_validate(self._merge(settings))
        for listener in self._listeners:
            listener(self.current)

    def _merge(self, new: S) -> dict[str, Any]:
        tree = new.model_dump(by_alias=True)
        old = self.current.model_dump(by_alias=True)
        for name in names_of(self._model):
            if not name.live and None not in name.path:
                self._keep(tree, old, [part for part in name.path if part])
        return tree

    def _keep(self, tree: dict[str, Any], old: dict[str, Any], path: list[str]) -> None:
        for part in path[:-1]:
            tree, old = tree[part], old[part]
        if tree[path[-1]] != old[path[-1]]:
            log.warning("setting needs a restart to take effect", setting=".".join(path))
            tree[path[-1]] = old[path[-1]]

    async def follow(self) -> None:
        """Watches the file until cancelled."""
        seen = self._stamp()
        while True:
            await asyncio.sleep(POLL_SECONDS)
            stamp = self._stamp()
            if stamp != seen:
                seen = stamp
                self._reread()

    def _stamp(self) -> tuple[int, int]:
        try:
            stat = Path(self.current.data, FILE).stat()
        except FileNotFoundError:
            return (0, 0)
        return (stat.st_mtime_ns, stat.st_size)

    def _reread(self) -> None:
        try:
            values = read_file(self.current.data)
        except SettingsError as error:
            REFUSED.inc()
            log.warning("settings refused, the last good ones stay", error=str(error))
            return
        self.apply(values)
