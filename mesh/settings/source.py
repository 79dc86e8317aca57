"""Where values come from: the file under the data folder, then the environment."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from mesh.settings.model import MeshSettings
from mesh.settings.names import Name, env_word, names_of
from mesh.telemetry.redact import scrub

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

S = TypeVar("S", bound=MeshSettings)
FILE = "settings.json"


class SettingsError(Exception):
    """Values that do not fit; each problem names its setting, never a secret's value."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read_file(data: Path) -> dict[str, str]:
    """The values of `leaky config set`: dotted name to text; none without a file."""
    try:
        values = json.loads((data / FILE).read_text())
    except FileNotFoundError:
        return {}
    except OSError as error:
        message = f"{data / FILE} cannot be read: {error.strerror}"
        raise SettingsError(message) from error
    except ValueError as error:
        message = f"{data / FILE} is not JSON: {error}"
        raise SettingsError(message) from error
    if not isinstance(values, dict):
        message = f"{data / FILE} is not a JSON object"
        raise SettingsError(message)
    return {str(key): str(value) for key, value in values.items()}


def load(model: type[S], env: Mapping[str, str], values: Mapping[str, str]) -> S:
    """The settings, validated as a whole.

    `values` are dotted names from a file; the environment wins over them.
    Raises SettingsError that lists everything that does not fit.
    """
    names = list(names_of(model))
    tree = _defaults(model)
    for dotted, text in values.items():
        _put(tree, _from_dotted(names, dotted), text)
    for variable, text in env.items():
        _put(tree, _from_env(names, variable, tree), text)
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise SettingsError(*explain(error, names)) from None


def _defaults(model: type[MeshSettings]) -> dict[str, Any]:
    return model.model_construct().model_dump(by_alias=True)


def _from_dotted(names: Iterable[Name], dotted: str) -> list[str] | None:
    for name in names:
        match = name.pattern.fullmatch(dotted)
        if match:
            free = iter(match.groups())
            return [part or next(free) for part in name.path]
    return None


def _from_env(names: Iterable[Name], variable: str, tree: Mapping[str, Any]) -> list[str] | None:
    if not variable.startswith("LEAKY_"):
        return None
    for name in names:
        match = name.env_pattern.fullmatch(variable)
        if match:
            free = iter(match.groups())
            return _free_parts(name, free, tree)
    return None


def _free_parts(name: Name, free: Any, tree: Any) -> list[str]:
    path: list[str] = []
    for part in name.path:
        key = part or _existing_key(next(free), tree)
        tree = tree.get(key, {}) if isinstance(tree, Mapping) else {}
        path.append(key)
    return path


def _existing_key(word: str, tree: Mapping[str, Any]) -> str:
    for key in tree:
        if env_word(key) == word:
            return key
    # Among the tiers, named like roles, a new one is one too.
    if tree and all(key.isupper() for key in tree):
        return word
    return word.lower().replace("_", "-")


def _put(tree: dict[str, Any], path: list[str] | None, text: str) -> None:
    if path is None:
        return
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = text


def explain(error: ValidationError, names: Iterable[Name]) -> list[str]:
    """What does not fit, each by the setting's name; no secret's value."""
    known = list(names)
    items = error.errors(include_url=False, include_context=False)
    return [_explain(item, known) for item in items]


def _explain(item: "ErrorDetails", names: Iterable[Name]) -> str:
    said = item["msg"].removeprefix("Value error, ")
    if not item["loc"]:
        return said
    dotted, name = _setting(item["loc"], names)
    shown = name is not None and not name.secret
    given = f" (given {scrub(repr(item['input']))})" if shown else ""
    return f"{dotted}: {said}{given}"


def _setting(loc: tuple[int | str, ...], names: Iterable[Name]) -> tuple[str, Name | None]:
    # Behind a setting's own path pydantic tells which part of its type it tried.
    for length in range(len(loc), 0, -1):
        dotted = ".".join(str(part) for part in loc[:length])
        for name in names:
            if name.pattern.fullmatch(dotted):
                return dotted, name
    return ".".join(str(part) for part in loc), None
