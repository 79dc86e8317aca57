"""All settings of all services: their names, what they stand at, and where that comes from."""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from mesh.cli.refusal import USAGE, RefusedError
from mesh.settings import MeshSettings
from mesh.settings.names import Name, env_name, names_of
from mesh.settings.source import SettingsError, load
from mesh.telemetry.redact import HIDDEN, scrub, secret_key

Values = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """One setting as it stands; `shown` hides secrets.

    `services` are those it stands so at, where it stands differently at others.
    """

    name: str
    shown: str
    source: str
    live: bool
    services: tuple[str, ...] = ()


class Catalogue:
    """The union of several settings models."""

    def __init__(self, models: Mapping[str, type[MeshSettings]]) -> None:
        self._models = models
        self._names = {model: list(names_of(model)) for model in models.values()}

    def find(self, dotted: str) -> Name:
        """The setting of this name. Raises RefusedError, with names that are close."""
        for names in self._names.values():
            for name in names:
                if name.pattern.fullmatch(dotted):
                    return name
        known = {name.dotted for names in self._names.values() for name in names}
        close = difflib.get_close_matches(dotted, sorted(known), n=3)
        hint = f"; did you mean {' or '.join(close)}?" if close else "; see leaky config get"
        raise RefusedError(f"there is no setting {dotted}{hint}", code=USAGE)

    def services_with(self, dotted: str) -> list[str]:
        """The services that have a setting of this name."""
        return [
            service
            for service, model in self._models.items()
            if any(name.pattern.fullmatch(dotted) for name in self._names[model])
        ]

    def names(self, service: str) -> Sequence[Name]:
        """A service's settings."""
        return self._names[self._models[service]]

    def check(self, env: Mapping[str, str], values: Mapping[str, str]) -> None:
        """Raises SettingsError when any service would refuse these."""
        # A dictionary, as several services say the same of what they share.
        found: dict[str, None] = {}
        for service in self._models:
            check = partial(self.check_one, service, env)
            found.update(dict.fromkeys(problems(check, values)))
        if found:
            raise SettingsError(*found)

    def check_one(self, service: str, env: Mapping[str, str], values: Mapping[str, str]) -> None:
        """Raises SettingsError when this service would refuse these."""
        load(self._models[service], env, values)

    def effective(self, env: Mapping[str, str], values: Mapping[str, str]) -> list[Effective]:
        """Every setting there is, by name; all services have the same values, from the file."""
        found: dict[str, Effective] = {}
        for service in self._models:
            for row in self._rows(service, env, values, "file"):
                found.setdefault(row.name, row)
        return [found[name] for name in sorted(found)]

    def effective_each(
        self, env: Mapping[str, str], values: Mapping[str, Mapping[str, str]], source: str
    ) -> list[Effective]:
        """Every setting there is, by name, where each service has values of its own.

        A setting at which services differ comes once for each value, with whose it is.
        """
        found: dict[str, dict[Effective, list[str]]] = {}
        for service in self._models:
            for row in self._rows(service, env, values[service], source):
                found.setdefault(row.name, {}).setdefault(row, []).append(service)
        return [
            row if len(found[name]) == 1 else replace(row, services=tuple(services))
            for name in sorted(found)
            for row, services in found[name].items()
        ]

    def _rows(
        self, service: str, env: Mapping[str, str], values: Mapping[str, str], kept: str
    ) -> Iterator[Effective]:
        settings = load(self._models[service], env, values)
        tree = settings.model_dump(by_alias=True, mode="json")
        tree["profile"] = settings.effective_profile.value
        for name in self.names(service):
            for dotted, value in _expand(name.path, tree, ""):
                shown = _shown(name, dotted, value)
                source = _source(dotted, env, values, kept)
                yield Effective(name=dotted, shown=shown, source=source, live=name.live)


def problems(check: Callable[[Values], None], values: Values) -> tuple[str, ...]:
    """What `check` says in its SettingsError, none where there is none."""
    try:
        check(values)
    except SettingsError as error:
        return error.problems
    return ()


def check_change(check: Callable[[Values], None], name: str, before: Values, after: Values) -> None:
    """Raises SettingsError when `check` refuses the values after a change of `name`.

    Where it is taken out, only for what was not wrong before: of two wrong values neither
    could be taken out else.
    """
    left = problems(check, after)
    if left and (name in after or not {*left} <= {*problems(check, before)}):
        raise SettingsError(*left)


def _expand(path: tuple[str | None, ...], tree: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    if not path:
        yield prefix.removesuffix("."), tree
        return
    for part in tree if path[0] is None else (path[0],):
        yield from _expand(path[1:], tree[part], f"{prefix}{part}.")


def _source(dotted: str, env: Mapping[str, str], values: Mapping[str, str], kept: str) -> str:
    if env_name(dotted) in env:
        return "env"
    return kept if dotted in values else "default"


def _shown(name: Name, dotted: str, value: Any) -> str:
    if value is None or value == "":
        return ""
    if name.secret or secret_key(dotted):
        return HIDDEN
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else scrub(str(value))
