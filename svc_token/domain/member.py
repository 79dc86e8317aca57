"""What one member may take of an organisation's pool in a window."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from svc_token.domain.entry import Entry, Kind
from svc_token.domain.owner import PoolKey


class MemberCapExceededError(Exception):
    """The pool has enough, and this member has had its share of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberCap:
    """`used` of `cap` tokens in a window; tokens on hold count as used.

    The window is one that the pool is or was in. A hold belongs to that which its line
    in the ledger has, as it takes of that window's allowance: mostly that of the moment
    it was asked for, a later one when the pool was in that already.
    """

    pool: PoolKey
    user_id: str
    cap: int
    window: int
    used: int = 0
    updated_us: int = 0

    def renewed(self, window: int) -> "MemberCap":
        """The cap in this window, the pool's own: whole in a new one."""
        return self if window <= self.window else replace(self, window=window, used=0)

    def hold(self, tokens: int) -> "MemberCap":
        """Takes tokens. Raises MemberCapExceededError."""
        if self.used + tokens > self.cap:
            raise MemberCapExceededError
        return replace(self, used=self.used + tokens)

    def after(self, line: Entry, *, begun: int) -> "MemberCap":
        """The cap when the ledger has this line of its member's too.

        `begun` is the window that the line's hold was taken in. What such a hold
        gives back, when that window has passed, is that window's; only what is
        used on top of it counts in this one. So does all that is settled late:
        the hold was given back when it expired.
        """
        cap, note = self.renewed(line.window), line.note
        more = note.tokens if note.kind in {Kind.RESERVE, Kind.SETTLE} else 0
        if note.kind is not Kind.RESERVE:
            more += note.held
        if note.held and begun != cap.window:
            more = max(0, more)
        return replace(cap, used=max(0, cap.used + more))


# A window before any other.
_EARLIER = -1


@dataclass(slots=True, kw_only=True)
class Tally:
    """What members have used of a pool in one of its windows, by the ledger, line after line.

    `last` is the number of the last line that has been counted.
    """

    window: int
    last: int = 0
    _caps: dict[str, MemberCap] = field(default_factory=dict)
    # Holds that were taken in this window.
    _held: set[str | None] = field(default_factory=set)

    def add(self, lines: Iterable[Entry]) -> None:
        """The window's next lines, of reservations, in the ledger's order."""
        for line in lines:
            user, note = line.note.user_id or "", line.note
            if note.kind is Kind.RESERVE:
                self._held.add(note.ref)
            begun = self.window if note.ref in self._held else _EARLIER
            if note.kind is not Kind.RESERVE:
                self._held.discard(note.ref)
            cap = self._caps.get(user) or MemberCap(
                pool=line.pool, user_id=user, cap=0, window=self.window
            )
            self._caps[user] = cap.after(line, begun=begun)

    def used(self, user_id: str) -> int:
        """The member's tokens."""
        cap = self._caps.get(user_id)
        return cap.used if cap else 0

    def copy(self) -> "Tally":
        """The same; what is added to one is not added to the other."""
        return replace(self, _caps=dict(self._caps), _held=set(self._held))
