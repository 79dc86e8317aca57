"""What the command line may choose."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass

from bench.arguments import numbers, positive, some_of

SLOW, CANCEL, KILL, OVERLOAD = "slow", "cancel", "kill", "overload"
PARTS = (SLOW, CANCEL, KILL, OVERLOAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much to measure.

    Overload is measured once with each of `limits` as `mesh.max-in-flight`; its peak is sought
    at `connections`, and `times` as many come then. svc_token is killed `kills` times, each
    time among `turns` of its callers, on a system of its own for each number of `instances`.
    """

    parts: tuple[str, ...]
    rounds: int
    seconds: int
    callers: int
    calls: int
    connections: int
    times: int
    limits: tuple[int, ...]
    kills: int
    turns: int
    instances: tuple[int, ...]
    server_cores: tuple[int, ...]
    load_cores: tuple[int, ...]


def parse(given: Sequence[str]) -> Options:
    """The choices; ends the process on --help and on what is no choice."""
    parser = argparse.ArgumentParser(prog="bench.strain", description="Measures what is too much.")
    add = parser.add_argument
    add("--parts", type=_parts, default=PARTS, help=f"default {','.join(PARTS)}")
    add("--rounds", type=positive, default=7, help="of the slow call; default 7")
    add("--seconds", type=positive, default=6, help="of the overload, others half; default 6")
    add("--callers", type=positive, default=16, help="users; default 16")
    add("--calls", type=positive, default=1_000, help="that are cancelled; default 1000")
    add("--connections", type=positive, default=64, help="at the peak; default 64")
    add("--times", type=positive, default=10, help="as many then; default 10")
    add("--max-in-flight", type=numbers, default=(512, 64), help="in turn; default 512,64")
    add("--kills", type=positive, default=4, help="of svc_token; default 4")
    add("--turns", type=positive, default=1_000, help="of callers around each; default 1000")
    add("--instances", type=_instances, default=(1, 2), help="of svc_token; default 1,2")
    found = parser.parse_args(given)
    cores = tuple(sorted(os.sched_getaffinity(0)))
    return Options(
        parts=found.parts,
        rounds=found.rounds,
        seconds=found.seconds,
        callers=found.callers,
        calls=found.calls,
        connections=found.connections,
        times=found.times,
        limits=found.max_in_flight,
        kills=found.kills,
        turns=found.turns,
        instances=found.instances,
        server_cores=cores[:-1] or cores,
        load_cores=cores[-1:],
    )


def _parts(text: str) -> tuple[str, ...]:
    return some_of(text, "part", PARTS)


def _instances(text: str) -> tuple[int, ...]:
    return tuple(map(int, some_of(text, "number of instances", ("1", "2"))))
