"""Whether revocations are arriving."""

import asyncio
import math

from mesh.clock import Clock

SILENCE_SECONDS = 4.0


class Pulse:
    """Svc_auth sends a heartbeat each second; silence means that revocations may be missed."""

    def __init__(self, clock: Clock, *, silence: float = SILENCE_SECONDS) -> None:
        self._clock = clock
        self._heard = -math.inf
        self.silence = silence
        # Set by the first beat, for those who wait for the start.
        self.felt = asyncio.Event()

    def beat(self) -> None:
        """Something arrived just now."""
        self._heard = self._clock.monotonic()
        self.felt.set()

    def trusted(self) -> bool:
        """Something arrived within the last `silence` seconds; never true at first."""
        return self._clock.monotonic() - self._heard < self.silence
