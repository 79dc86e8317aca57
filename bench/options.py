"""What the command line may choose."""

import argparse
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much to measure and with what; `wrk` is its path, or empty for our own client.

    `warm_calls` go to each case before it is measured; `counted` consumes are
    compared with the pool that paid for them.
    """

    rounds: int
    seconds: int
    callers: int
    warm_calls: int
    counted: int
    connections: tuple[int, ...]
    starts: int
    profile: str
    multiplexed: bool
    wrk: str
    json: Path | None
    server_core: int
    load_core: int


def parse(arguments: Sequence[str]) -> Options:
    """The choices; ends the process on --help and on what is no choice."""
    parser = argparse.ArgumentParser(prog="bench", description="Compares the edge with yardsticks.")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it runs")
    parser.add_argument("--rounds", type=_positive, help="default 3")
    parser.add_argument("--seconds", type=_positive, help="whole seconds a load, default 2")
    parser.add_argument("--connections", type=_numbers, default=(16, 64), help="default 16,64")
    parser.add_argument("--profile", choices=("local", "secure"), default="local")
    parser.add_argument(
        "--unary", action="store_true", help="calls between services each by itself"
    )
    parser.add_argument("--load", choices=("wrk", "own"), help="default wrk where there is one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures")
    given = parser.parse_args(arguments)
    wrk = "" if given.load == "own" else shutil.which("wrk") or ""
    if given.load == "wrk" and not wrk:
        parser.error("wrk is not installed; on Debian: apt install wrk")
    cores = sorted(os.sched_getaffinity(0))
    return Options(
        rounds=given.rounds or (1 if given.quick else 3),
        seconds=given.seconds or (1 if given.quick else 2),
        callers=16 if given.quick else 64,
        warm_calls=50 if given.quick else 300,
        counted=200 if given.quick else 1000,
        connections=given.connections,
        starts=1 if given.quick else 2,
        profile=given.profile,
        multiplexed=not given.unary,
        wrk=wrk,
        json=given.json,
        server_core=cores[0],
        load_core=cores[-1],
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(_positive(part) for part in text.split(","))
