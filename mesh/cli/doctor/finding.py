"""What a check has found."""

from dataclasses import dataclass
from enum import StrEnum

from mesh.telemetry.redact import scrub


class Level(StrEnum):
    """How bad it is: FAIL keeps the system, or a part of it, from working."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the answer; `subject` is a setting, a service or a place.

    `advice` is one sentence of what to do, empty where all is well.
    """

    level: Level
    subject: str
    what: str
    advice: str = ""


def ok(subject: str, what: str) -> Finding:
    """As it should be."""
    return Finding(level=Level.OK, subject=subject, what=scrub(what))


def warn(subject: str, what: str, advice: str) -> Finding:
    """It works, and is not as it should be."""
    return Finding(level=Level.WARN, subject=subject, what=scrub(what), advice=scrub(advice))


def fail(subject: str, what: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(level=Level.FAIL, subject=subject, what=scrub(what), advice=scrub(advice))
