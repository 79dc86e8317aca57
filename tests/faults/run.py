"""A whole run: the matrix, then the schedules, a check after each."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.checks import Finding, Wrong, check, late_seconds, uncharged
from tests.faults.doors import Door, doors
from tests.faults.history import History
from tests.faults.load import Load
from tests.faults.matrix import Matrix, unreached
from tests.faults.say import say
from tests.faults.schedule import Schedule, faults
from tests.faults.town import ALLOWANCE, Town, town

# A reservation's time, ten seconds for the sweeper, and what a busy machine takes.
DRAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do; `matrix` kills at each failpoint, `only` those whose names hold it."""

    seed: int
    schedules: int
    ops: int
    matrix: int
    only: str
    parts: tuple[str, ...]
    folder: Path


@dataclass(slots=True)
class Figures:
    """What came of it."""

    failpoints: int = 0
    kills: int = 0
    schedules: int = 0
    ops: int = 0
    findings: dict[str, Finding] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)

    def count(self, wrong: Wrong) -> int:
        """Different violations of a kind."""
        return sum(one.wrong is wrong for one in self.findings.values())

    @property
    def fine(self) -> bool:
        """Whether nothing was violated and every failpoint reached."""
        return not self.findings and not self.missed

    def line(self) -> str:
        """The last line of a run."""
        wrong = " ".join(f"{one}={self.count(one)}" for one in Wrong)
        return (
            f"faults failpoints={self.failpoints} kills={self.kills}"
            f" schedules={self.schedules} ops={self.ops} {wrong}"
        )


async def run(plan: Plan) -> Figures:
    """Everything that the plan asks for."""
    figures = Figures()
    history = History(plan.folder / "history.jsonl")
    async with town(plan.folder, plan.parts) as place:
        say("the town is up")
        async with doors([child.target for child in place.tokens], place.edge) as ways:
            if plan.matrix:
                await _matrix(plan, place, history, ways, figures)
            for number in range(plan.schedules):
                await _schedule(f"{plan.seed}/{number}", plan, place, history, ways)
                figures.schedules += 1
        if plan.schedules:
            await place.heal()
            await drained(place)
            await judge(place, history, figures)
        figures.kills = sum(child.kills for child in place.children.values())
    figures.ops = len(history.ops)
    return figures


async def _matrix(
    plan: Plan, place: Town, history: History, ways: list[Door], figures: Figures
) -> None:
    seed = f"{plan.seed}/matrix"
    load = Load(doors=ways, history=history, seed=seed)
    matrix = Matrix(town=place, load=load, seed=seed, reached={})
    for number in range(plan.matrix):
        await matrix.round(plan.only, number)
        say(f"round {number + 1} of the matrix is done")
    figures.missed = list(unreached(matrix.reached, plan.only))
    figures.failpoints = sum(count > 0 for count in matrix.reached.values())
    for name in figures.missed:
        say(f"MISSED: {name}")
    await place.heal()
    await drained(place)
    await judge(place, history, figures)


async def _schedule(seed: str, plan: Plan, place: Town, history: History, ways: list[Door]) -> None:
    load = Load(doors=ways, history=history, seed=seed)
    planned = faults(seed, plan.ops, plan.parts)
    say(f"schedule {seed}")
    await Schedule(town=place, load=load, faults=planned).run(plan.ops)


async def drained(place: Town) -> None:
    """Returns when all is quiet, or when it had the time to be; says what was left."""
    began = time.monotonic()
    left = "unknown"
    while left and time.monotonic() < began + DRAIN_SECONDS:
        await asyncio.sleep(0.25)
        left = await place.databases.unfinished()
    say(f"quiet after {time.monotonic() - began:.1f} s" if not left else f"left over: {left}")


async def judge(place: Town, history: History, figures: Figures) -> None:
    """Compares all books with all that was answered so far."""
    books = await place.databases.books(place.provider.calls)
    watched = list(place.watch.stretches())
    for finding in check(history.ops, books, allowance=ALLOWANCE, watched=watched):
        if finding.text not in figures.findings:
            say(f"{finding.wrong.upper()}: {finding.text}")
        figures.findings[finding.text] = finding
    say(
        f"{len(history.ops)} operations ({history.tally()}), {len(books.ledger)} ledger lines,"
        f" {len(books.events)} events, {len(books.payments)} payments,"
        f" {uncharged(history.ops, books)} answered by the provider and cut off uncharged,"
        f" orphans free {late_seconds(books):.1f} s after their time at the latest,"
        f" {late_seconds(books, watched):.1f} s of it with an instance to free them"
    )
