"""When an instance dies, or is stopped for so long that what it holds becomes another's."""

from dataclasses import dataclass

from svc_token.limits import LiveLimits
from svc_token.usecases.hold_shards import LEASE_US
from tests.simulation.loop import Process
from tests.simulation.town import Town


@dataclass(slots=True)
class Fate:
    """Between two steps of an instance, as often as the faults say.

    One that is killed has a successor a little later. One is stopped as an
    answer reaches it, and goes on a little after something has ended that it
    may hold: a lease on shards or purchases, or the claim of an idempotency key.
    """

    town: Town
    _over: bool = False
    _left: int = -1

    def __call__(self, process: Process) -> None:
        """It is that process' turn."""
        mean = self.town.network.faults.crash_steps
        if self._over or not mean:
            return
        random = self.town.loop.random
        if self._left < 0:
            self._left = int(random.expovariate(1 / mean))
        if self._left > 0:
            self._left -= 1
            return
        self._left = -1
        self._kill(process)

    def heard(self, process: Process, weight: float) -> None:
        """An answer has reached it."""
        network = self.town.network
        if not self._over and network.chance(network.faults.stop * weight):
            self._stop(process)

    def end(self) -> None:
        """Nothing happens to anyone any more, and who is stopped goes on."""
        self._over = True
        for instance in self.town.instances:
            self._resume(instance.process)

    def _kill(self, process: Process) -> None:
        town = self.town
        town.trace("kill -9", process.name)
        town.instances = [one for one in town.instances if one.process is not process]
        town.loop.kill(process)
        wait = 0.2 + 3 * town.loop.random.random()
        town.loop.after(wait, town.loop.outside, town.start)

    def _stop(self, process: Process) -> None:
        town = self.town
        others = [one.process for one in town.instances if one.process is not process]
        if process.stopped or all(other.stopped for other in others):
            # Somebody must be left to come for what is due.
            return
        limits = LiveLimits(town.settings)
        lasting = town.loop.random.choice((LEASE_US, limits.lease_us, limits.claim_us))
        seconds = (1.05 + town.loop.random.random()) * lasting / 1_000_000
        town.stopped += 1
        town.trace("kill -STOP", process.name)
        town.loop.halt(process)
        town.loop.after(seconds, town.loop.outside, self._resume, process)

    def _resume(self, process: Process) -> None:
        if process.stopped:
            self.town.trace("kill -CONT", process.name)
            self.town.loop.resume(process)
