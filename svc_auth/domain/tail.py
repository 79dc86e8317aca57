"""Reads a table as it grows, whose places are given out before its rows can be seen."""

from collections.abc import Sequence

from svc_auth.domain.revocation import Numbered

# Far longer than a transaction that adds a row takes; then its place stays empty.
PATIENCE_SECONDS = 30.0
# How far back of its start a reader looks for places that are filled late.
BEHIND = 100


class Tail:
    """What one reader has seen.

    A sequence counts on when a transaction asks, and a row is seen when the
    transaction commits: a later place may be seen first. So places that were
    passed over are asked for again until they have had time enough.
    """

    def __init__(self) -> None:
        self.newest = 0
        self._gaps: dict[int, float] = {}

    @property
    def gaps(self) -> Sequence[int]:
        """Places that may still be filled."""
        return list(self._gaps)

    def start(self, newest: int, seen: Sequence[Numbered], now: float) -> None:
        """All up to there counts as seen, but for what of the last places is not among `seen`."""
        self.newest = newest
        there = {one.seq for one in seen}
        behind = range(max(1, newest - BEHIND), newest + 1)
        self._gaps = {place: now for place in behind if place not in there}

    def fresh(self, found: Sequence[Numbered], now: float) -> Sequence[Numbered]:
        """Those not seen before, in order; `now` in seconds, on any clock that goes forward."""
        new = [one for one in found if one.seq > self.newest or one.seq in self._gaps]
        for one in new:
            self._gaps.pop(one.seq, None)
            self._gaps |= dict.fromkeys(range(self.newest + 1, one.seq), now)
            self.newest = max(self.newest, one.seq)
        late = [place for place, since in self._gaps.items() if now - since >= PATIENCE_SECONDS]
        for place in late:
            del self._gaps[place]
        return new
