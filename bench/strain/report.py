"""All of it as Markdown, with what is aimed at."""

import platform
from collections.abc import Iterator, Sequence
from dataclasses import fields

from bench.machine import model
from bench.strain.aims import aims
from bench.strain.killed import Killed
from bench.strain.left_behind import Cancelled, State
from bench.strain.options import Options
from bench.strain.overloaded import Loaded, Overloaded
from bench.strain.place import WATCHED
from bench.strain.result import Result
from bench.strain.slow_call import CONNECTIONS, SlowCall
from bench.strain.told import BUSY, CONFLICT, LATE, LOST
from bench.tables import table
from tests.faults.checks import Wrong

_LIMIT = "max-in-flight"
_LOADS = (_LIMIT, "load", "answers", "200s/s", "p99 ms", "of refusals", "CPU us a 200")
_KILLS = (
    *("", "kills", "operations", "reads", "failed", "503", "409", "504, lost", "again"),
    *("ledger lines", "lost", "double", "tokens astray"),
)
_MEMORY = (_LIMIT, "RSS in MiB", "before", "most", "after")


def markdown(result: Result, options: Options) -> Iterator[str]:
    """The whole report."""
    before, after = result.load
    yield (
        f"{model()}, Python {platform.python_version()}, servers on cores {options.server_cores},"
        f" load on {options.load_cores}; load average {before:.1f} before, {after:.1f} after"
    )
    rows = [
        (each.name, each.aim, each.measured, "met" if each.met else "**missed**")
        for each in aims(result, options)
    ]
    yield from table("Aims", ("", "aim", "measured", ""), rows)
    if result.slow:
        yield from _slow(result.slow)
    if result.cancelled:
        yield from _cancelled(result.cancelled)
    if result.killed:
        yield from _killed(result.killed)
    if result.overloads:
        yield from _overloads(result.overloads)


def _slow(one: SlowCall) -> Iterator[str]:
    rows = [
        [f"{each.without.done_p99_ms:.2f}", f"{each.beside.done_p99_ms:.2f}", f"{each.ratio:.2f}"]
        for each in one.rounds
    ]
    title = f"One slow call among quota's at {CONNECTIONS} connections"
    yield from table(title, ("p99 ms without", "with", "ratio"), rows)


def _cancelled(one: Cancelled) -> Iterator[str]:
    names = [each.name for each in fields(State)]
    rows = [[name, *(f"{getattr(state, name):.0f}" for state in one.states)] for name in names]
    head = ("", "before", *(f"after {n + 1} x {one.calls}" for n in range(len(one.times))))
    yield from table("Cancelled calls", head, rows)
    yield ""
    yield f"{'; '.join(map(str, one.times))}. {one.charged:.0f} were charged all the same."


def _killed(several: Sequence[Killed]) -> Iterator[str]:
    yield from table("svc_token killed with -9", _KILLS, map(_kills, several))
    for each in several:
        kills = "; ".join(map(str, each.kills))
        yield ""
        yield f"{each.name}: {kills}. The slowest operation took {each.told.slowest:.1f} s."


def _kills(one: Killed) -> list[str]:
    told, found, statuses = one.told, one.counted, one.told.statuses
    figures = (
        *(len(one.kills), len(told.pieces), len(told.reads), told.reads_failed),
        *(statuses[BUSY], statuses[CONFLICT], statuses[LATE] + statuses[LOST]),
        *(told.again, found.lines),
        *map(found.count, (Wrong.LOST, Wrong.DOUBLE)),
        found.astray,
    )
    return [one.name, *map(str, figures)]


def _overloads(several: Sequence[Overloaded]) -> Iterator[str]:
    loads = [
        [f"{each.limit}", name, *_load(load)]
        for each in several
        for name, load in each.loads.items()
    ]
    yield from table("Overload", _LOADS, loads)
    for each in several:
        if not each.over.refused_p99_ms:
            yield ""
            yield f"With {each.limit} in flight nobody was refused: all waited for their turn."
    memory = [
        [f"{each.limit}", service, *(f"{held[service]:.0f}" for held in each.rss.values())]
        for each in several
        for service in WATCHED
    ]
    yield from table("Memory", _MEMORY, memory)


def _load(load: Loaded) -> Iterator[str]:
    answers = load.answers
    yield ", ".join(f"{count} of {status}" for status, count in answers.statuses.items())
    yield f"{answers.goodput:.0f}"
    yield f"{answers.done_p99_ms:.1f}"
    yield f"{answers.refused_p99_ms:.1f}" if answers.refused_p99_ms else ""
    yield f"{load.cpu_us:.0f}"
