"""What the consul/ folder says that Consul should hold."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Before the names of what is ours, in a Consul that others may use too.
PREFIX = "leaky-"
# The agent's token goes into the agent itself.
AGENT = "agent"


class PlanError(Exception):
    """The folder is not as it should be; the message names the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`policies` are HCL by holder, `entries` as Consul takes them, `seed` values by service."""

    policies: Mapping[str, str]
    entries: tuple[Mapping[str, Any], ...]
    seed: Mapping[str, Mapping[str, str]]


def read_plan(folder: Path) -> Plan:
    """policies/*.hcl, config-entries/*.json and kv/*.toml. Raises PlanError."""
    policies = {file.stem: file.read_text() for file in sorted(folder.glob("policies/*.hcl"))}
    if not policies:
        message = f"there are no policies in {folder}; name the consul folder with --folder"
        raise PlanError(message)
    return Plan(
        policies=policies,
        entries=tuple(_entry(file) for file in sorted(folder.glob("config-entries/*.json"))),
        seed=_seed(folder),
    )


def _entry(file: Path) -> Mapping[str, Any]:
    try:
        entry: Mapping[str, Any] = json.loads(file.read_text())
        _ = entry["Kind"], entry["Name"]
    except (ValueError, KeyError, TypeError) as error:
        message = f"{file} is no config entry: {error}"
        raise PlanError(message) from error
    return entry


def _seed(folder: Path) -> dict[str, dict[str, str]]:
    seed: dict[str, dict[str, str]] = {}
    for file in sorted(folder.glob("kv/*.toml")):
        try:
            for service, values in tomllib.loads(file.read_text()).items():
                seed.setdefault(service, {}).update(_texts(values))
        except (ValueError, TypeError) as error:
            message = f"{file} is no seed: {error}"
            raise PlanError(message) from error
    return seed


def _texts(values: Any) -> dict[str, str]:
    texts = dict(values)
    for name, value in texts.items():
        # As it is in KV, where all are; TOML has numbers, and tables for names without quotes.
        if not isinstance(value, str):
            raise TypeError(f"{name} is no text; write both it and its value in quotes")
    return texts
