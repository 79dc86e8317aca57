"""What the command line may choose."""

import argparse
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.rows import ROWS

MULTIPLEXED, UNARY = "multiplexed", "unary"
_QUICK_OR_NOT = {
    "rounds": (1, 3),
    "seconds": (1, 2),
    "callers": (16, 500),
    "events": (50_000, 1_000_000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much to measure and with what; `wrk` is its path, or empty for our own client.

    `warm_calls` go to each case before it is measured; `counted` consumes are
    compared with the pool that paid for them. `ways` are how services call each other,
    each on a system of its own. With `instructions` these are counted too.
    """

    rounds: int
    seconds: int
    callers: int
    events: int
    warm_calls: int
    counted: int
    cases: tuple[str, ...]
    connections: tuple[int, ...]
    starts: int
    profile: str
    ways: tuple[str, ...]
    workers: int
    settings: Mapping[str, str]
    wrk: str
    json: Path | None
    server_cores: tuple[int, ...]
    load_cores: tuple[int, ...]
    instructions: bool = False


def arguments(prog: str, description: str) -> argparse.ArgumentParser:
    """What every command that measures the edge may choose."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    add = parser.add_argument
    add("--quick", action="store_true", help="one short round, to see that it runs")
    add("--rounds", type=_positive, help="default 3")
    add("--seconds", type=_positive, help="whole seconds a load, default 2")
    add("--callers", type=_positive, help="default 500, each with two pools")
    add("--events", type=_positive, help="that a report sums up, default 1000000")
    add("--cases", type=_cases, default=tuple(ROWS), help=f"default {','.join(ROWS)}")
    add("--connections", type=_numbers, default=(1, 16, 64), help="default 1,16,64")
    add("--cores", type=_positive, default=1, help="for all that is measured; default 1")
    add("--workers", type=_positive, default=1, help="gateways on the one port; default 1")
    add("--profile", choices=("local", "secure"), default="local")
    add("--unary", action="store_true", help="calls between services each by itself")
    add("--both", action="store_true", help="two systems in turn: multiplexed and unary")
    add("--set", type=_setting, action="append", default=[], metavar="NAME=VALUE")
    add("--load", choices=("wrk", "own"), help="default wrk where there is one")
    add("--json", type=Path, metavar="FILE", help="all figures")
    return parser


def parse(arguments_: Sequence[str]) -> Options:
    """The choices; ends the process on --help and on what is no choice."""
    parser = arguments("bench", "Compares the edge with yardsticks.")
    return options(parser, parser.parse_args(arguments_))


def options(parser: argparse.ArgumentParser, given: argparse.Namespace) -> Options:
    """What the arguments mean on this machine."""
    wrk = "" if given.load == "own" else shutil.which("wrk") or ""
    if given.load == "wrk" and not wrk:
        parser.error("wrk is not installed; on Debian: apt install wrk")
    if given.profile == "secure" and "report" in given.cases:
        # There, users see their own events only.
        given.cases = tuple(case for case in given.cases if case != "report")
    server_cores, load_cores = _cores(given.cores)
    amount = {
        name: getattr(given, name) or choice[not given.quick]
        for name, choice in _QUICK_OR_NOT.items()
    }
    return Options(
        **amount,
        warm_calls=50 if given.quick else 300,
        counted=200 if given.quick else 1000,
        cases=given.cases,
        connections=given.connections,
        starts=1 if given.quick else 2,
        profile=given.profile,
        ways=(MULTIPLEXED, UNARY) if given.both else (UNARY if given.unary else MULTIPLEXED,),
        workers=given.workers,
        settings=dict(given.set),
        wrk=wrk,
        json=given.json,
        server_cores=server_cores,
        load_cores=load_cores,
    )


def _cores(count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Those of what is measured, and the load's, which are all where none is left."""
    cores = tuple(sorted(os.sched_getaffinity(0)))
    return cores[:count], cores[count:][-1:] or cores


def _cases(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = ", ".join(sorted(set(names) - set(ROWS)))
    if unknown:
        raise argparse.ArgumentTypeError(f"no case: {unknown}; there are {', '.join(ROWS)}")
    return names


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError("must be NAME=VALUE")
    return name, value


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(_positive(part) for part in text.split(","))
