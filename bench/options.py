"""What the command line may choose."""

import argparse
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.arguments import arguments

MULTIPLEXED, UNARY = "multiplexed", "unary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much to measure and with what; `wrk` is its path, or empty for our own client.

    `warm_calls` go to each case before it is measured; `counted` consumes are
    compared with the pool that paid for them. `ways` are how services call each other,
    each on a system of its own. Without `echo` the only yardstick is bare uvicorn.
    With `instructions` these are counted too.
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
    echo: bool = True
    instructions: bool = False


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
        if not given.cases:
            parser.error("argument --cases: report is measured in the profile local only")
    server_cores, load_cores = _cores(given.cores)
    quick = given.quick
    return Options(
        rounds=given.rounds or (1 if quick else 3),
        seconds=given.seconds or (1 if quick else 2),
        callers=given.callers or (16 if quick else 500),
        events=given.events or (50_000 if quick else 1_000_000),
        warm_calls=50 if quick else 300,
        counted=200 if quick else 1000,
        cases=given.cases,
        connections=given.connections,
        starts=1 if quick else 2,
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
