"""Dotted names, and how a settings model spells them out.

Names with a free part in the middle, such as `providers.{name}.base-url`,
come from fields that are dictionaries of sections.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """One setting; a part of its path that is None is free.

    Whatever it names is shown secrets: `shown` is the setting beside it, such as
    the key beside a URL; `shown_variables` are those of the environment that a
    library reads by itself.
    """

    path: tuple[str | None, ...]
    live: bool
    secret: bool
    default: Any
    shown: str = ""
    shown_variables: tuple[str, ...] = ()

    @property
    def dotted(self) -> str:
        """As in the documentation, a free part as {name}."""
        return ".".join(part or "{name}" for part in self.path)

    @property
    def env_pattern(self) -> re.Pattern[str]:
        """What its environment variable looks like; a free part is the group."""
        parts = [re.escape(env_word(part)) if part else r"([A-Z0-9_]+?)" for part in self.path]
        return re.compile("LEAKY_" + "_".join(parts))

    @property
    def pattern(self) -> re.Pattern[str]:
        """What its dotted name looks like; a free part is the group."""
        parts = [re.escape(part) if part else r"([A-Za-z0-9/_-]+)" for part in self.path]
        return re.compile(r"\.".join(parts))


def env_word(part: str) -> str:
    """A part of a name as environment variables spell it."""
    return re.sub(r"[^A-Za-z0-9]+", "_", part).strip("_").upper()


def env_name(dotted: str) -> str:
    """The environment variable of a setting: LEAKY_TOKEN_BUCKET_CAPACITY."""
    return "LEAKY_" + env_word(dotted)


def names_of(model: type[BaseModel], prefix: tuple[str | None, ...] = ()) -> Iterator[Name]:
    """Every setting that a model has, with its default."""
    yield from _fields(model, prefix, None)


def _fields(
    model: type[BaseModel], prefix: tuple[str | None, ...], defaults: BaseModel | None
) -> Iterator[Name]:
    for key, info in model.model_fields.items():
        default = (
            getattr(defaults, key) if defaults else info.get_default(call_default_factory=True)
        )
        path = (*prefix, info.alias or key)
        yield from _field(info, path, default)


def _field(info: FieldInfo, path: tuple[str | None, ...], default: Any) -> Iterator[Name]:
    section = _section(info.annotation)
    if section is not None:
        yield from _fields(section, path, default if isinstance(default, BaseModel) else None)
        return
    if get_origin(info.annotation) is dict:
        inner = _section(get_args(info.annotation)[1])
        if inner is not None:
            yield from _fields(inner, (*path, None), None)
            return
        path = (*path, None)
    extra = info.json_schema_extra
    marks = extra if isinstance(extra, dict) else {}
    yield Name(
        path=path,
        live=bool(marks.get("live")),
        secret=bool(marks.get("secret")),
        default=default,
        shown=str(marks.get("shown", "")),
        shown_variables=_texts(marks.get("shown_variables")),
    )


def _texts(mark: Any) -> tuple[str, ...]:
    return tuple(map(str, mark)) if isinstance(mark, list) else ()


def _section(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None
