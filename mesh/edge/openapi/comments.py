"""What the protos' comments say, when they were generated."""

import json
import re
from functools import cache
from pathlib import Path

import leaky


@cache
def _comments() -> dict[str, str]:
    # importlib.resources cannot open a namespace package that is installed editable.
    for folder in leaky.__path__:
        file = Path(folder, "comments.json")
        if file.is_file():
            pairs = json.loads(file.read_text(encoding="utf-8")).items()
            return {str(name): str(comment) for name, comment in pairs}
    return {}


def comment_of(full_name: str) -> str:
    """The comment at a proto name, on one line; empty for none."""
    return " ".join(_comments().get(full_name, "").split())


def words(name: str) -> str:
    """A name in camel case as words: "GetOrgQuota" is "Get org quota"."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return spaced[:1].upper() + spaced[1:].lower()
