"""The alert rules, and what of our metrics a PromQL expression asks for."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.compose.files import COMPOSE

RULES = COMPOSE / "prometheus" / "rules.yml"
SEVERITIES = ("critical", "warning", "info")
# A histogram is written down by its own name, and asked for by its series.
_SERIES = re.compile(r"_(?:bucket|sum|count)$")
_LABELS = re.compile(r"\{[^}]*\}|\b(?:by|on|ignoring|without|group_left|group_right) \([^)]*\)")
_STRINGS = re.compile(r'"[^"]*"')
# What Prometheus says of each target itself.
_ITS_OWN = {"up"}


def alerts() -> dict[str, dict[str, Any]]:
    """Every rule by its alert's name."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def metrics_in(expression: str) -> Iterator[str]:
    """The metrics that it asks for, as docs/services.md names them."""
    bare = _LABELS.sub("", _STRINGS.sub('""', expression))
    for name in re.findall(r"\b[a-z][a-z0-9_]*\b(?!\s*\()", bare):
        if "_" in name and name not in _ITS_OWN and name not in {"group_left", "group_right"}:
            yield _SERIES.sub("", name)
