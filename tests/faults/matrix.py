"""The kill matrix: every failpoint, at its first hit, at a later one, and among many calls.

Each child has a lane: it is started with the next failpoint armed, runs into it
under the load that goes on all the time, and is started with the one after.
So a start after a kill is also the recovery from it.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from tests.faults.child import Child
from tests.faults.load import Load
from tests.faults.places import EITHER, PLACES, SECOND, TOKEN
from tests.faults.say import say
from tests.faults.town import Town

REACH_SECONDS = 20.0
# How often a failpoint is tried once more that was not reached.
AGAIN = 2
# The latest hit of the later ones.
LATER = 8
WIDTHS = (1, 1, 12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One kill."""

    failpoint: str
    hit: int

    @property
    def armed(self) -> str:
        """As the environment variable has it."""
        return f"{self.failpoint}=kill@{self.hit}"


def cells(seed: str, only: str, round_: int) -> dict[str, list[Cell]]:
    """What each child is to run into in a round, in an order of the seed's choice."""
    choice = random.Random(f"{seed}/{round_}")  # noqa: S311 no secret
    lanes: dict[str, list[Cell]] = {}
    for name, child in PLACES.items():
        if only in name:
            hit = 1 if round_ == 0 else choice.randint(2, LATER)
            lanes.setdefault(child, []).append(Cell(failpoint=name, hit=hit))
    for lane in lanes.values():
        choice.shuffle(lane)
    return lanes


@dataclass(slots=True)
class Matrix:
    """Rounds over all cells; `reached` counts each failpoint's kills."""

    town: Town
    load: Load
    seed: str
    reached: dict[str, int]

    async def round(self, only: str, number: int) -> None:
        """One kill at each failpoint, the lanes side by side."""
        lanes = cells(self.seed, only, number)
        loading = asyncio.ensure_future(self._loading(WIDTHS[min(number, 2)]))
        try:
            async with asyncio.TaskGroup() as tasks:
                for name, (own, shared) in self._shared(lanes).items():
                    tasks.create_task(self._lane(self.town.children[name], own, shared))
        finally:
            loading.cancel()
            with suppress(asyncio.CancelledError):
                await loading

    def _shared(self, lanes: Mapping[str, list[Cell]]) -> dict[str, tuple[list[Cell], list[Cell]]]:
        """Each child's own cells, and the list that both instances of svc_token take from."""
        either = lanes.get(EITHER, [])
        names = lanes.keys() - {EITHER} | ({TOKEN, SECOND} if either else set())
        return {
            name: (lanes.get(name, []), either if name in {TOKEN, SECOND} else [])
            for name in sorted(names)
        }

    async def _loading(self, width: int) -> None:
        while True:
            await self.load.run(100, width)

    async def _lane(self, child: Child, own: list[Cell], shared: list[Cell]) -> None:
        missed: list[Cell] = []
        while own or shared:
            cell = (own or shared).pop()
            if not await self._kill(child, cell):
                missed.append(cell)
        # When the other lanes are quieter, more calls come through.
        for cell in missed:
            if not await self._insist(child, cell):
                say(f"{child.name} did not come by {cell.armed}")
        await child.end()
        await child.started()

    async def _insist(self, child: Child, cell: Cell) -> bool:
        for _ in range(AGAIN):
            if await self._kill(child, cell):
                return True
        return False

    async def _kill(self, child: Child, cell: Cell) -> bool:
        if child.runs:
            await child.end()
        ready = await child.started(cell.armed)
        died = await child.killed(REACH_SECONDS if ready else 1.0)
        self.reached[cell.failpoint] = self.reached.get(cell.failpoint, 0) + died
        return died


def unreached(reached: Mapping[str, int], only: str) -> Sequence[str]:
    """Failpoints that no kill was at."""
    return [name for name in PLACES if only in name and not reached.get(name)]
