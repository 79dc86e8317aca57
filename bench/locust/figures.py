"""What a scenario came to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.locust.outcome import is_refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The answers of one name; times are milliseconds, as Locust rounds them: two digits."""

    call: str
    requests: int
    failures: int
    p50: float
    p95: float
    p99: float
    max: float
    mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What went wrong, and how often."""

    call: str
    error: str
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One scenario, by the names of its calls."""

    scenario: str
    seconds: float
    calls: tuple[Call, ...]
    failures: tuple[Failure, ...]

    @property
    def done(self) -> int:
        """Answers that were no refusals, but for those to what made the users ready."""
        counted = [one for one in self.calls if not one.call.startswith("setup")]
        return sum(one.requests - one.failures for one in counted if not is_refusal(one.call))

    @property
    def wrong(self) -> list[str]:
        """Why this is no good run; empty for one that is."""
        found = [f"{one.call}: {one.error}, {one.times} times" for one in self.failures]
        return found or ([] if self.done else ["nothing was done"])

    def rate(self, call: Call) -> float:
        """Answers a second."""
        return call.requests / self.seconds if self.seconds else 0.0


def read(scenario: str, file: Path) -> Figures:
    """What the Locust process has written. Raises ValueError when it has not."""
    try:
        told: Mapping[str, Any] = json.loads(file.read_text())
    except FileNotFoundError:
        raise ValueError("Locust ended without any figures") from None
    return Figures(
        scenario=scenario,
        seconds=told["seconds"],
        calls=tuple(Call(**one) for one in told["calls"]),
        failures=tuple(Failure(**one) for one in told["failures"]),
    )
