"""What has been revoked of one kind: bounded, and never forgotten to anybody's advantage."""

import structlog

log = structlog.get_logger("identity")
# Of what there is no room for any more, so much at once, that room is made seldom.
_SHARE = 8


class Remembered:
    """Subjects, each with the moment before which what it speaks of was issued, and its end.

    Where there are too many that have not ended, the oldest give way to a
    floor: whatever was issued before that is refused, whomever it is about.
    Times are microseconds since the epoch.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: dict[str, tuple[int, int]] = {}
        self.floor = 0

    def get(self, subject: str, *, now: int) -> int | None:
        """The subject's moment, unless there is none or all of that has ended."""
        at, until = self._entries.get(subject, (0, 0))
        return at if now < until else None

    def put(self, subject: str, at: int, *, until: int, now: int) -> None:
        """Remembers the subject until then."""
        self._entries.pop(subject, None)
        self._entries[subject] = (at, until)
        if len(self._entries) > self._capacity:
            self._make_room(now)

    def _make_room(self, now: int) -> None:
        standing = {one: kept for one, kept in self._entries.items() if now < kept[1]}
        room = self._capacity - self._capacity // _SHARE
        if len(standing) > room:
            doomed = list(standing)[: len(standing) - room]
            self.floor = max(self.floor, *(standing.pop(one)[0] for one in doomed))
            log.warning("too many revocations at once: older tokens are refused", count=len(doomed))
        self._entries = standing
