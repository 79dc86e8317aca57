"""What calls cost when that was last recorded."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Costs a call as multiples of bare uvicorn's, by row, and how they were measured."""

    ratios: Mapping[str, float]
    circumstances: Mapping[str, str]
    machine: str


def read(path: Path) -> dict[str, Recorded]:
    """By what was measured; nothing when there is no file."""
    if not path.exists():
        return {}
    return {name: Recorded(**each) for name, each in json.loads(path.read_text()).items()}


def write(path: Path, recorded: Mapping[str, Recorded]) -> None:
    """In place of what was there."""
    rows = {name: asdict(each) for name, each in recorded.items()}
    path.write_text(json.dumps(rows, indent=2) + "\n")
