"""Settings in the file under the data folder, the same for all services."""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from mesh.cli.catalogue import Catalogue, Effective, check_change
from mesh.cli.data import LOCK, holder, private_folder
from mesh.cli.refusal import USAGE, RefusedError
from mesh.private_file import write_private
from mesh.settings.names import env_name
from mesh.settings.source import FILE, read_file


class FileSettings:
    """`settings.json`, changed by one at a time."""

    def __init__(self, catalogue: Catalogue, env: Mapping[str, str], data: Path) -> None:
        self._catalogue, self._env, self._data = catalogue, env, data

    def effective(self) -> list[Effective]:
        """What all settings stand at."""
        return self._catalogue.effective(self._env, read_file(self._data))

    def put(self, name: str, text: str | None, services: list[str]) -> str:
        """Changes one; what else is to know of it. Raises SettingsError and RefusedError."""
        if services:
            message = "--service is for settings in Consul KV; the file is for all services"
            raise RefusedError(message, code=USAGE)
        folder = private_folder(self._data)
        with _alone(folder):
            before = read_file(folder)
            values = dict(before)
            if text is not None:
                values[name] = text
            elif values.pop(name, None) is None:
                raise RefusedError(f"{name} is not set in {folder / FILE}")
            self._store(folder, name, before, values)
        return self._note(folder, name)

    def _store(
        self, folder: Path, name: str, before: Mapping[str, str], values: Mapping[str, str]
    ) -> None:
        # Without its variable, so that a value which the environment hides is checked too.
        env = {key: text for key, text in self._env.items() if key != env_name(name)}
        check_change(partial(self._catalogue.check, env), name, before, values)
        write_private(folder / FILE, json.dumps(values, indent=2, sort_keys=True) + "\n")

    def _note(self, folder: Path, name: str) -> str:
        if self._catalogue.find(name).live or holder(folder / LOCK) is None:
            return ""
        return "; it takes effect after a restart: leaky down, then leaky up"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / f"{FILE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
