"""Random faults under load: what and after how many operations is the seed's choice."""

import asyncio
import random
import signal
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import asyncpg

from tests.faults.child import Child
from tests.faults.load import Load
from tests.faults.say import say
from tests.faults.town import Town

FAULTS = 8
WIDTH = 16
# More often the ones that matter more.
ACTS = {
    "kill": 6,
    "pause": 3,
    "disconnect": 3,
    "bounce": 2,
}
OF_PARTS = {"disconnect", "bounce"}
TARGETS = {"token": 4, "token.2": 4, "analytics": 2, "stubs": 2, "gateway": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`act` on `target` after `at` operations, for `seconds` where it lasts."""

    at: int
    act: str
    target: str
    seconds: float

    def __str__(self) -> str:
        return f"at {self.at} {self.act} {self.target} {self.seconds:.1f} s"


def faults(seed: str, ops: int, parts: tuple[str, ...]) -> list[Fault]:
    """In the order of their moments."""
    choice = random.Random(seed)  # noqa: S311 no secret
    made = []
    for _ in range(FAULTS):
        act = choice.choices(list(ACTS), list(ACTS.values()))[0]
        target = choice.choices(list(TARGETS), list(TARGETS.values()))[0]
        if act == "disconnect":
            target = "postgresql"
        if act == "bounce":
            target = choice.choice(parts)
        seconds = choice.uniform(0.2, 2.5)
        at = choice.randint(ops // 20, ops - ops // 10)
        made.append(Fault(at=at, act=act, target=target, seconds=seconds))
    return sorted(made, key=lambda fault: fault.at)


@dataclass(slots=True, kw_only=True)
class Schedule:
    """One run of a seed."""

    town: Town
    load: Load
    faults: list[Fault]
    # One fault of a part at a time: a disconnect's own connection is none to be cut.
    _turns: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def run(self, ops: int) -> None:
        """Returns when the operations are done and everything runs again."""
        say("; ".join(map(str, self.faults)))
        async with asyncio.TaskGroup() as tasks:
            waiting = list(self.faults)

            def heard(count: int) -> None:
                while waiting and count >= waiting[0].at:
                    tasks.create_task(self._do(waiting.pop(0)))

            self.load.heard = heard
            await self.load.run(ops, WIDTH)
        await self.town.start()

    async def _do(self, fault: Fault) -> None:
        acts: Mapping[str, Callable[[Fault], Awaitable[None]]] = {
            "kill": self._kill,
            "pause": self._pause,
            "disconnect": self._disconnect,
            "bounce": self._bounce,
        }
        if fault.act in OF_PARTS:
            async with self._turns[fault.target]:
                await acts[fault.act](fault)
        else:
            await acts[fault.act](fault)

    async def _kill(self, fault: Fault) -> None:
        child = self.town.children[fault.target]
        if not child.runs:
            return
        await child.kill()
        await asyncio.sleep(fault.seconds / 5)
        if not child.runs:
            await child.started()

    async def _pause(self, fault: Fault) -> None:
        child: Child = self.town.children[fault.target]
        child.send(signal.SIGSTOP)
        await asyncio.sleep(fault.seconds)
        child.send(signal.SIGCONT)

    async def _disconnect(self, fault: Fault) -> None:
        del fault
        connection = await asyncpg.connect(self.town.databases.token, timeout=10)
        try:
            # Autovacuum is a superuser's, which we may not end.
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND backend_type = 'client backend'"
            )
        finally:
            await connection.close()

    async def _bounce(self, fault: Fault) -> None:
        await self.town.stop_part(fault.target)
        await asyncio.sleep(fault.seconds)
        await self.town.start_part(fault.target)
