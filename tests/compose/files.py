"""The compose files as Python reads them, with their merge keys done."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "compose"
NAMES = ("compose", "infra", "full", "observability", "tracing")
# Which of them are meant to be used together; the first is where paths begin.
COMBINATIONS = (
    ("compose",),
    ("compose", "tracing"),
    ("compose", "tracing", "traced-embedded"),
    ("infra",),
    ("infra", "full"),
    ("infra", "full", "observability"),
    ("infra", "full", "observability", "tracing"),
    ("infra", "full", "observability", "tracing", "traced"),
)
IMAGE = "leaky-tokens"


def read(name: str) -> dict[str, Any]:
    """One file."""
    found: dict[str, Any] = yaml.safe_load((COMPOSE / f"{name}.yaml").read_text())
    return found


def services() -> dict[str, dict[str, Any]]:
    """Every container of every file, as "file/service"."""
    return {
        f"{name}/{service}": definition
        for name in NAMES
        for service, definition in read(name)["services"].items()
    }


def ours() -> dict[str, dict[str, Any]]:
    """Those that run our own image."""
    return {key: one for key, one in services().items() if one["image"].startswith(f"{IMAGE}:")}


def volumes(one: dict[str, Any]) -> dict[str, str]:
    """Where each volume of a container is, with ":ro" where it is not written to."""
    parts = (text.partition(":") for text in one.get("volumes", ()))
    return {name: where for name, _, where in parts}


def environment(one: dict[str, Any]) -> dict[str, str]:
    """What a container is told in the file itself."""
    found: dict[str, str] = one.get("environment", {})
    return found


def env_file(one: dict[str, Any], secrets: Path) -> dict[str, str]:
    """What it is told by files that compose/secrets.sh has made."""
    found: dict[str, str] = {}
    for path in one.get("env_file", ()):
        text = (secrets / path.rpartition("/")[2]).read_text()
        found |= dict(line.split("=", 1) for line in text.splitlines())
    return found


def image_version(name: str) -> str:
    """The version of the image that this container runs."""
    version: str = services()[name]["image"].partition(":")[2]
    return version


def native(path: str, pattern: str) -> str:
    """What compose/native/ says."""
    match = re.search(pattern, (COMPOSE / "native" / path).read_text())
    assert match, pattern
    return match[1]
