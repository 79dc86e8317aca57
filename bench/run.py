"""One run, from the first process to the last."""

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench import client, wrk
from bench.apps import Apps, serving
from bench.cases import Case, beside, named, ours
from bench.exactness import Exactness, Pool, counted
from bench.figures import Figures
from bench.machine import describe
from bench.measure import Drive, Measure
from bench.options import Options
from bench.processes import pin
from bench.result import Result, Weighed
from bench.rounds import Rounds, measured, warm
from bench.rows import BARE, ROWS, chosen, yardsticks
from bench.ways import Tell, Way, fill, started, weigh

Enough = Callable[[Rounds], bool]
_HOT, _RESERVE = "hot", "reserve"
# Which rows ask for which count.
_SPENDING = {_HOT: {"consume", "slow", "hot-slow", _HOT}, _RESERVE: {_RESERVE}}


def run(options: Options, tell: Tell, enough: Enough | None = None) -> Result:
    """All figures, of as many rounds as the options say or as are `enough`.

    Raises RuntimeError when something does not start or does not answer as it should.
    """
    machine = describe(options)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leaky-bench-")))
        ways = stack.enter_context(started(options, folder, tell))
        apps = stack.enter_context(serving(folder))
        _pin(ways, apps, options)
        figures, exact = _loaded(ways, apps, options, tell, enough or _rounds(options))
        return Result(
            options=options,
            machine=machine,
            systems=[_weighed(way) for way in ways],
            figures=figures,
            exact=exact,
        )


def _pin(ways: Sequence[Way], apps: Apps, options: Options) -> None:
    ours_ = (pid for way in ways for pid in way.system.pids.values())
    for pid in (*ours_, *(pid for _, pid in apps.values())):
        pin(pid, options.server_cores)
    pin(os.getpid(), options.load_cores)


def _loaded(
    ways: Sequence[Way], apps: Apps, options: Options, tell: Tell, enough: Enough
) -> tuple[Figures, dict[str, Exactness]]:
    tell("warming up")
    for way in ways:
        fill(way)
    cases = _cases(ways, apps, options)
    warm(cases, options.warm_calls)
    pools = [Pool.of(way.system, way.callers.hot) for way in ways]
    rounds: Rounds = []
    measure = Measure(
        seconds=options.seconds, drive=_drive(options), instructions=options.instructions
    )
    for samples in measured(cases, options.connections, measure, enough):
        rounds.append(samples)
        tell(f"round {len(rounds)} done")
    tell("counting tokens")
    exact = (_exact(way, pool, rounds, options) for way, pool in zip(ways, pools, strict=True))
    return Figures(rounds), {name: each for found in exact for name, each in found.items()}


def _cases(ways: Sequence[Way], apps: Apps, options: Options) -> list[Case]:
    rows = chosen(options.cases)
    cases = [case for way in ways for case in ours(rows, way.label, way.system, way.callers)]
    # A row of one system beside that of the other.
    by_row = [cases[at :: len(rows)] for at in range(len(rows))]
    names = [name for name in yardsticks(rows) if options.echo or name in BARE]
    return [*beside(names, apps, ways[0].callers), *(case for same in by_row for case in same)]


def _exact(way: Way, pool: Pool, rounds: Rounds, options: Options) -> dict[str, Exactness]:
    """Of those rows that spend tokens."""
    chosen_ = set(options.cases)
    found = {}
    if _HOT in chosen_:
        name = named(ROWS[_HOT], way.label)
        found[f"loads of {name}"] = way.exactness(pool, rounds, name, options)
    for key, request in ((_HOT, way.other.consume()), (_RESERVE, way.other.reserve())):
        if chosen_ & _SPENDING[key]:
            many = options.counted, max(options.connections)
            name = f"{options.counted} times {named(ROWS[key], way.label)}"
            found[name] = counted(way.system, way.other, request, *many)
    return found


def _rounds(options: Options) -> Enough:
    return lambda rounds: len(rounds) >= options.rounds


def _drive(options: Options) -> Drive:
    return partial(wrk.drive, wrk=options.wrk) if options.wrk else client.drive


def _weighed(way: Way) -> Weighed:
    loaded = weigh(way.system)
    return Weighed(label=way.label, starts=way.starts, idle=way.idle, loaded=loaded)
