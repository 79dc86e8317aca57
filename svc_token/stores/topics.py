"""Where which events go."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """Topic names, as the settings have them."""

    usage: str
    purchases: str
