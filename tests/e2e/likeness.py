"""Compares an answer with the documented one, apart from what each run makes anew."""

import json
import re
from collections.abc import Iterator
from typing import Any

_HEX = "[0-9a-f]"
_UUID = f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
# What differs from run to run, by kind. A secret may be shown cut short with "…".
_FRESH = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)"
    rf"|(?P<secret>(?<=leaky_{_UUID}_)[\w-]+…?|eyJ[\w.-]+…?)"
    rf"|(?P<uuid>(?<!{_HEX}){_UUID}(?!{_HEX}))"
    rf"|(?P<trace>(?<!{_HEX}){_HEX}{{32}}(?!{_HEX}))"
    r"|(?P<pid>(?<=pid )\d+|(?<=│ )\d+(?= *│))"
)
# Two of these may be equal in one run and differ in the next.
_MAY_COINCIDE = {"time"}


class Likeness:
    """Remembers which value of a run stands for which documented one.

    A UUID that the document shows twice must be one UUID in the run, too.
    """

    def __init__(self) -> None:
        self._actual: dict[tuple[str, str], str] = {}
        self._documented: dict[tuple[str, str], str] = {}

    def differences(self, language: str, documented: str, actual: str) -> list[str]:
        """What differs; what was matched is remembered when nothing does."""
        before = dict(self._actual), dict(self._documented)
        try:
            found = list(self._compare(language, documented, actual))
        except json.JSONDecodeError as error:
            found = [f"no JSON: {error}"]
        if found:
            self._actual, self._documented = before
        return found

    def _compare(self, language: str, documented: str, actual: str) -> Iterator[str]:
        if language == "json":
            yield from self._values("$", json.loads(documented), json.loads(actual))
        else:
            yield from self._text("text", _plain(documented), _plain(actual))

    def _values(self, path: str, documented: Any, actual: Any) -> Iterator[str]:
        if isinstance(documented, dict) and isinstance(actual, dict):
            yield from self._objects(path, documented, actual)
        elif isinstance(documented, list) and isinstance(actual, list):
            if len(documented) != len(actual):
                yield f"{path}: {len(actual)} items instead of {len(documented)}"
            for index, pair in enumerate(zip(documented, actual, strict=False)):
                yield from self._values(f"{path}[{index}]", *pair)
        elif isinstance(documented, str) and isinstance(actual, str):
            yield from self._text(path, documented, actual)
        # 1, 1.0 and true are three things.
        elif json.dumps(documented) != json.dumps(actual):
            yield f"{path}: {actual!r} instead of {documented!r}"

    def _objects(
        self, path: str, documented: dict[str, Any], actual: dict[str, Any]
    ) -> Iterator[str]:
        for key in documented.keys() - actual.keys():
            yield f"{path}.{key}: is missing"
        for key in actual.keys() - documented.keys():
            yield f"{path}.{key}: is not documented"
        for key in documented.keys() & actual.keys():
            yield from self._values(f"{path}.{key}", documented[key], actual[key])

    def _text(self, path: str, documented: str, actual: str) -> Iterator[str]:
        if _shape(documented) != _shape(actual):
            yield f"{path}: {actual!r} instead of {documented!r}"
            return
        for mine, theirs in zip(_FRESH.finditer(documented), _FRESH.finditer(actual), strict=True):
            kind = str(mine.lastgroup)
            if kind not in _MAY_COINCIDE and not self._same(kind, mine[0], theirs[0]):
                yield f"{path}: {theirs[0]} is not the {kind} that {mine[0]} stood for before"

    def _same(self, kind: str, documented: str, actual: str) -> bool:
        known = self._actual.setdefault((kind, documented), actual)
        shown = self._documented.setdefault((kind, actual), documented)
        return (known, shown) == (actual, documented)


def _shape(text: str) -> str:
    return _FRESH.sub(lambda match: f"<{match.lastgroup}>", text)


def _plain(text: str) -> str:
    lines = (re.sub("[━─]+", "─", " ".join(line.split())) for line in text.splitlines())
    return "\n".join(line for line in lines if line)
