"""An instance to be looked at."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`url` is its REST, None where nobody knows; `health` is what is said of it."""

    service: str
    name: str
    url: str | None
    health: str


class Registry(Protocol):
    """Who is where."""

    async def targets(self) -> list[Target]:
        """Every instance, those that are not well among them.

        Raises RegistryAwayError when it cannot be asked.
        """
        ...


class RegistryAwayError(Exception):
    """It cannot be asked; the message says why."""
