"""The command line of what measures the edge."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from bench.rows import ROWS


def arguments(prog: str, description: str) -> argparse.ArgumentParser:
    """What every command that measures the edge may choose."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    add = parser.add_argument
    add("--quick", action="store_true", help="one short round, to see that it runs")
    add("--rounds", type=positive, help="default 3")
    add("--seconds", type=positive, help="whole seconds a load, default 2")
    add("--callers", type=positive, help="default 500, each with two pools")
    add("--events", type=positive, help="that a report sums up, default 1000000")
    add("--cases", type=_cases, default=tuple(ROWS), help=f"default {','.join(ROWS)}")
    add("--connections", type=numbers, default=(1, 16, 64), help="default 1,16,64")
    add("--cores", type=positive, default=1, help="for all that is measured; default 1")
    add("--workers", type=positive, default=1, help="gateways on the one port; default 1")
    add("--profile", choices=("local", "secure"), default="local")
    add("--unary", action="store_true", help="calls between services each by itself")
    add("--both", action="store_true", help="two systems in turn: multiplexed and unary")
    add("--set", type=_setting, action="append", default=[], metavar="NAME=VALUE")
    add("--load", choices=("wrk", "own"), help="default wrk where there is one")
    add("--json", type=Path, metavar="FILE", help="all figures")
    return parser


def _cases(text: str) -> tuple[str, ...]:
    return some_of(text, "case", ROWS)


def some_of(text: str, what: str, known: Iterable[str]) -> tuple[str, ...]:
    """Names with commas between, all of them known. Raises ArgumentTypeError."""
    names, there = tuple(text.split(",")), tuple(known)
    unknown = ", ".join(sorted(set(names) - set(there)))
    if unknown:
        raise argparse.ArgumentTypeError(f"no {what}: {unknown}; there are {', '.join(there)}")
    return names


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError("must be NAME=VALUE")
    return name, value


def positive(text: str) -> int:
    """A whole number of at least 1. Raises ValueError or ArgumentTypeError."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def numbers(text: str) -> tuple[int, ...]:
    """Several, with commas between."""
    return tuple(positive(part) for part in text.split(","))
