"""All settings of all services: their names, what they stand at, and where that comes from."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mesh.cli.refusal import USAGE, RefusedError
from mesh.settings import MeshSettings
from mesh.settings.names import Name, env_name, names_of
from mesh.settings.source import load
from mesh.telemetry.redact import HIDDEN, scrub, secret_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """One setting as it stands; `shown` hides secrets."""

    name: str
    shown: str
    source: str
    live: bool


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

    def check(self, env: Mapping[str, str], values: Mapping[str, str]) -> None:
        """Raises SettingsError when any service would refuse these."""
        for model in self._models.values():
            load(model, env, values)

    def effective(self, env: Mapping[str, str], values: Mapping[str, str]) -> list[Effective]:
        """Every setting there is, by name."""
        found: dict[str, Effective] = {}
        for model, names in self._names.items():
            settings = load(model, env, values)
            tree = settings.model_dump(by_alias=True, mode="json")
            tree["profile"] = settings.effective_profile.value
            for name in names:
                for dotted, value in _expand(name.path, tree, ""):
                    shown = _shown(name, dotted, value)
                    source = _source(dotted, env, values)
                    found.setdefault(
                        dotted, Effective(name=dotted, shown=shown, source=source, live=name.live)
                    )
        return [found[name] for name in sorted(found)]


def _expand(path: tuple[str | None, ...], tree: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    if not path:
        yield prefix.removesuffix("."), tree
        return
    for part in tree if path[0] is None else (path[0],):
        yield from _expand(path[1:], tree[part], f"{prefix}{part}.")


def _source(dotted: str, env: Mapping[str, str], values: Mapping[str, str]) -> str:
    if env_name(dotted) in env:
        return "env"
    return "file" if dotted in values else "default"


def _shown(name: Name, dotted: str, value: Any) -> str:
    if value is None or value == "":
        return ""
    if name.secret or secret_key(dotted):
        return HIDDEN
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else scrub(str(value))
