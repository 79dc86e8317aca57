"""When signing keys sign, and how long they stay published.

Times and durations are in microseconds. A key is published from the moment it
is made, so that everybody has it before the first token needs it; it stays
until the last token that it has signed has ended.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLife:
    """What is known of one key; `longest_lifetime` is that of the tokens that it signs."""

    kid: str
    alg: str
    generation: int
    active_at: int
    longest_lifetime: int = 0


def newest(lives: Iterable[KeyLife], alg: str) -> KeyLife | None:
    """The last generation of the algorithm, whether it signs already or not."""
    own = (life for life in lives if life.alg == alg)
    return max(own, key=lambda life: life.generation, default=None)


def signing(lives: Iterable[KeyLife], alg: str, now: int) -> KeyLife | None:
    """Whose turn it is: the newest that is active, else the oldest there is."""
    own = sorted((life for life in lives if life.alg == alg), key=lambda life: life.generation)
    active = [life for life in own if life.active_at <= now]
    return active[-1] if active else next(iter(own), None)


def retired(lives: Sequence[KeyLife], now: int, *, margin: int) -> frozenset[str]:
    """The ids of keys whose last token has ended.

    `margin` covers a process that was late to learn of the next key, and clocks
    that differ.
    """
    return frozenset(life.kid for life in lives if _ended(life, lives, now, margin))


def _ended(life: KeyLife, lives: Sequence[KeyLife], now: int, margin: int) -> bool:
    later = [each for each in lives if each.alg == life.alg and each.generation > life.generation]
    if not later:
        return False
    succeeded_at = min(each.active_at for each in later)
    return now >= succeeded_at + life.longest_lifetime + margin
