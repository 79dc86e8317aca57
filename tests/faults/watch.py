"""When somebody could see to what is due: from the moments that a run starts and stops things."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

STORE = "the store"


def now_us() -> int:
    """As the services' own clocks say it, which are this machine's."""
    return time.time_ns() // 1_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """From a moment to another, in microseconds since the epoch."""

    begun_us: int
    ended_us: int


@dataclass(slots=True)
class Watch:
    """Stretches of time in which the store ran, and at least one instance of svc_token.

    An instance counts from when it takes calls until it is killed, stopped or
    told to end; one that is armed to die does not, as it may do so in the very
    act. One that takes over from another goes on with the same stretch.
    """

    clock: Callable[[], int] = now_us
    _up: set[str] = field(default_factory=set)
    _since_us: int | None = None
    _over: list[Stretch] = field(default_factory=list)

    def up(self, name: str) -> None:
        """The store runs, or this instance takes calls."""
        self._up.add(name)
        self._look()

    def down(self, name: str) -> None:
        """Not any more."""
        self._up.discard(name)
        self._look()

    def stretches(self) -> Iterator[Stretch]:
        """All so far; the last may go on."""
        yield from self._over
        if self._since_us is not None:
            yield Stretch(self._since_us, self.clock())

    def _look(self) -> None:
        watched = STORE in self._up and len(self._up) > 1
        if watched and self._since_us is None:
            self._since_us = self.clock()
        elif not watched and self._since_us is not None:
            self._over.append(Stretch(self._since_us, self.clock()))
            self._since_us = None
