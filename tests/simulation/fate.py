"""When an instance dies, or is stopped for so long that what it holds becomes another's."""

from dataclasses import dataclass, field

from svc_token.limits import LiveLimits
from svc_token.usecases.hold_shards import LEASE_US
from tests.simulation.loop import Process
from tests.simulation.town import Town


@dataclass(slots=True)
class Fate:
    """Between two steps of an instance, as often as the faults say.

    One that is killed has a successor a little later. One that is stopped goes
    on after one to two times as long as something lasts that it may hold: a
    lease on shards or purchases, or the claim of an idempotency key.
    """

    town: Town
    _over: bool = False
    _left: dict[str, int] = field(default_factory=dict)

    def __call__(self, process: Process) -> None:
        """It is that process' turn."""
        if self._over:
            return
        faults = self.town.network.faults
        if self._comes("kill", faults.crash_steps):
            self._kill(process)
        elif self._comes("stop", faults.stop_steps):
            self._stop(process)

    def end(self) -> None:
        """Nothing happens to anyone any more, and who is stopped goes on."""
        self._over = True
        for instance in self.town.instances:
            self._resume(instance.process)

    def _comes(self, what: str, mean: int) -> bool:
        if not mean:
            return False
        left = self._left.get(what)
        if left is None:
            left = int(self.town.loop.random.expovariate(1 / mean))
        self._left[what] = left - 1
        if left > 0:
            return False
        del self._left[what]
        return True

    def _kill(self, process: Process) -> None:
        town = self.town
        town.trace("kill -9", process.name)
        town.instances = [one for one in town.instances if one.process is not process]
        town.loop.kill(process)
        wait = 0.2 + 3 * town.loop.random.random()
        town.loop.after(wait, town.loop.outside, town.start)

    def _stop(self, process: Process) -> None:
        town = self.town
        if all(one.process.stopped for one in town.instances if one.process is not process):
            # Somebody must be left to come for what is due.
            return
        limits = LiveLimits(town.settings)
        lasting = town.loop.random.choice((LEASE_US, limits.lease_us, limits.claim_us))
        seconds = (1 + town.loop.random.random()) * lasting / 1_000_000
        town.stopped += 1
        town.trace("kill -STOP", process.name)
        town.loop.halt(process)
        town.loop.after(seconds, town.loop.outside, self._resume, process)

    def _resume(self, process: Process) -> None:
        if process.stopped:
            self.town.trace("kill -CONT", process.name)
            self.town.loop.resume(process)
