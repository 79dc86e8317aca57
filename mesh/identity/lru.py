"""A bounded memory whose entries end."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lru(Generic[K, V]):
    """At most `capacity` entries, the least recently used leaving first.

    Times are whatever the caller counts in, as long as it always counts in the same.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[K, tuple[V, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K, *, now: float) -> V | None:
        """The value, unless it is absent or has ended."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        value, until = entry
        if now >= until:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return value

    def put(self, key: K, value: V, *, until: float) -> None:
        """Keeps the value until then, or until others push it out."""
        self._entries[key] = (value, until)
        self._entries.move_to_end(key)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def discard(self, matches: Callable[[K, V], bool]) -> None:
        """Forgets every entry that matches; looks at all, which is fine for what is rare."""
        doomed = [key for key, (value, _) in self._entries.items() if matches(key, value)]
        for key in doomed:
            del self._entries[key]

    def clear(self) -> None:
        """Forgets everything."""
        self._entries.clear()
