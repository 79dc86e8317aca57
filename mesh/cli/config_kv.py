"""Settings in Consul KV, one folder a service."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from mesh.cli.catalogue import Catalogue, Effective, check_change
from mesh.cli.refusal import USAGE, RefusedError
from mesh.cli.services import NAMES
from mesh.consul.client import opened
from mesh.consul.kv import Change, ForbiddenError, Kv, folder_of
from mesh.consul.token import read_token
from mesh.settings import MeshSettings
from mesh.settings.names import env_name
from mesh.settings.remote import Stored, admitted, check_shown

_TRIES = 5


def operator_token(env: Mapping[str, str], file: Path | None) -> str | None:
    """Who asks: the file's token, else CONSUL_HTTP_TOKEN, else nobody. Raises SettingsError."""
    return read_token(file) if file else env.get("CONSUL_HTTP_TOKEN") or None


class KvSettings:
    """Consul KV, changed by check-and-set, in all the services' folders at once or in none."""

    def __init__(
        self, catalogue: Catalogue, env: Mapping[str, str], start: MeshSettings, token: str | None
    ) -> None:
        self._catalogue, self._env, self._start = catalogue, env, start
        self._token = token

    def effective(self) -> list[Effective]:
        """What all settings stand at."""
        stored = asyncio.run(self._read(NAMES))
        values = {name: self._admitted(name, each.values) for name, each in stored.items()}
        return self._catalogue.effective_each(self._env, values, "consul")

    def put(self, name: str, text: str | None, services: list[str]) -> str:
        """Changes one; what else is to know of it.

        Raises SettingsError, RefusedError, and SourceAwayError.
        """
        having = self._catalogue.services_with(name)
        strangers = [service for service in services if service not in having]
        if strangers:
            raise RefusedError(f"{', '.join(strangers)} has no setting {name}", code=USAGE)
        changed = asyncio.run(self._put(name, text, services or having))
        note = f" for {', '.join(changed)}"
        if not self._catalogue.find(name).live:
            note += "; it takes effect when they start again"
        return note

    async def _put(self, name: str, text: str | None, services: list[str]) -> list[str]:
        """The services whose folders were changed."""
        for _ in range(_TRIES):
            stored = await self._read(services)
            if text is None:
                stored = {key: each for key, each in stored.items() if name in each.values}
            if not stored:
                raise RefusedError(f"{name} is not set in Consul KV")
            for service, each in stored.items():
                check = partial(self._check, service, name)
                check_change(check, name, each.values, _with(each.values, name, text))
            if await self._changed(stored, name, text):
                return list(stored)
        raise RefusedError(f"{name} was changed by others at the same time; try again")

    def _check(self, service: str, name: str, values: Mapping[str, str]) -> None:
        # Without its variable, so that a value which the environment hides is checked too.
        env = {key: text for key, text in self._env.items() if key != env_name(name)}
        known = self._admitted(service, values)
        check_shown(self._catalogue.names(service), env, known)
        self._catalogue.check_one(service, env, known)

    def _admitted(self, service: str, values: Mapping[str, str]) -> Mapping[str, str]:
        known, _strangers = admitted(self._catalogue.names(service), values)
        return known

    async def _changed(self, stored: Mapping[str, Stored], name: str, text: str | None) -> bool:
        changes = [
            Change(key=f"{folder_of(service)}/{name}", text=text, index=each.indexes.get(name, 0))
            for service, each in stored.items()
        ]
        async with self._kv(next(iter(stored))) as kv:
            return await kv.change(changes)

    async def _read(self, services: tuple[str, ...] | list[str]) -> dict[str, Stored]:
        found = {}
        for service in services:
            async with self._kv(service) as kv:
                found[service] = await kv.folder(folder_of(service))
        return found

    @asynccontextmanager
    async def _kv(self, service: str) -> AsyncIterator[Kv]:
        async with opened(self._start, service, token=self._token) as client:
            try:
                yield Kv(client)
            except ForbiddenError as error:
                said = str(error).rstrip(".")
                message = f"{said}; give another token with --token-file or CONSUL_HTTP_TOKEN"
                raise RefusedError(message) from error


def _with(values: Mapping[str, str], name: str, text: str | None) -> dict[str, str]:
    rest = {key: value for key, value in values.items() if key != name}
    return rest if text is None else {**rest, name: text}
