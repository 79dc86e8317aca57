"""What the protos' comments say, when they were generated."""

import importlib.resources
import json
import re
from functools import cache


@cache
def _comments() -> dict[str, str]:
    try:
        text = importlib.resources.files("leaky").joinpath("comments.json").read_text()
    except (FileNotFoundError, ModuleNotFoundError):
        return {}
    return {str(name): str(comment) for name, comment in json.loads(text).items()}


def comment_of(full_name: str) -> str:
    """The comment at a proto name, on one line; empty for none."""
    return " ".join(_comments().get(full_name, "").split())


def words(name: str) -> str:
    """A name in camel case as words: "GetOrgQuota" is "Get org quota"."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return spaced[:1].upper() + spaced[1:].lower()
