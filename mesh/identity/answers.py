"""Remembered answers of svc_auth, dropped when it says so."""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from mesh.clock import Clock
from mesh.identity.flights import Flights
from mesh.identity.lru import Lru
from mesh.identity.pulse import Pulse

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Answer(Generic[V]):
    """What was answered, and for how many seconds it may be remembered."""

    value: V
    seconds: float


class Answers(Generic[K, V]):
    """A bounded cache that is only believed while revocations arrive."""

    def __init__(self, *, capacity: int, clock: Clock, pulse: Pulse) -> None:
        self._clock = clock
        self._pulse = pulse
        self._held: Lru[K, V] = Lru(capacity)
        self._flights: Flights[K, V] = Flights()
        self._drops = 0

    def __len__(self) -> int:
        return len(self._held)

    def known(self, key: K) -> V | None:
        """The remembered answer; None where none is believed."""
        if not self._pulse.trusted():
            return None
        return self._held.get(key, now=self._clock.monotonic())

    async def get(self, key: K, ask: Callable[[], Awaitable[Answer[V]]]) -> V:
        """The remembered answer, else a new one; `ask`'s error is not remembered."""
        held = self.known(key)
        if held is not None:
            return held
        return await self._flights.join(key, partial(self._ask, key, ask))

    def drop(self, matches: Callable[[K, V], bool]) -> None:
        """Forgets what matches, and what was asked before now but not answered yet."""
        self._outdate()
        self._held.discard(matches)

    def clear(self) -> None:
        """Forgets everything."""
        self._outdate()
        self._held.clear()

    def _outdate(self) -> None:
        self._drops += 1
        self._flights.forget()

    async def _ask(self, key: K, ask: Callable[[], Awaitable[Answer[V]]]) -> V:
        drops = self._drops
        answer = await ask()
        # The answer may be older than a drop that overtook it: then it serves
        # those who waited for it and is not kept.
        if drops == self._drops and self._pulse.trusted():
            until = self._clock.monotonic() + answer.seconds
            self._held.put(key, answer.value, until=until)
        return answer.value
