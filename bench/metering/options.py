"""What the command line may choose."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much to measure; `lone` calls a round and way, one after another.

    `connections` are those of one transaction a call; group commit needs one.
    """

    rounds: int
    seconds: float
    pools: int
    callers: tuple[int, ...]
    connections: int
    lone: int
    url: str
    sqlite: bool
    json: Path | None


def parse(arguments: Sequence[str]) -> Options:
    """The choices; ends the process on --help and on what is no choice."""
    parser = argparse.ArgumentParser(
        prog="bench.metering", description="Group commit against one transaction a call."
    )
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it runs")
    parser.add_argument("--rounds", type=int, help="default 5")
    parser.add_argument("--seconds", type=float, help="a load, default 2")
    parser.add_argument("--pools", type=int, default=1000, help="of the spread load, default 1000")
    parser.add_argument("--callers", default="64,256", help="at once, default 64,256")
    parser.add_argument(
        "--connections", type=int, default=16, help="of one transaction a call, default 16"
    )
    parser.add_argument(
        "--url", default="", help="an empty PostgreSQL database; default: a server of its own"
    )
    parser.add_argument("--no-sqlite", action="store_true", help="PostgreSQL alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures")
    given = parser.parse_args(arguments)
    return Options(
        rounds=given.rounds or (1 if given.quick else 5),
        seconds=given.seconds or (0.5 if given.quick else 2),
        pools=given.pools,
        callers=tuple(int(each) for each in given.callers.split(",")),
        connections=given.connections,
        lone=50 if given.quick else 300,
        url=given.url,
        sqlite=not given.no_sqlite,
        json=given.json,
    )
