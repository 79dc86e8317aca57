"""`python -m bench.metering`: measures, prints Markdown; its exit code says whether it is sound."""

import asyncio
import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

from bench.metering.options import Options, parse
from bench.metering.report import lone_times, lone_ways, markdown, times
from bench.metering.run import Result, measured
from bench.metering.server import Server, postgresql, told_of
from bench.metering.ways import SINGLE


def main() -> int:
    """0, or 1 when tokens were lost; 130 when interrupted."""
    options = parse(sys.argv[1:])
    # Whoever ends us politely gets the same clearing up as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    found: dict[str, Result] = {}
    try:
        with ExitStack() as stack:
            for where, server in _servers(options, stack):
                _tell(where)
                about = _about(options)
                if not server.embedded:
                    about |= {SINGLE: f"on {options.connections} connections"}
                    about |= asyncio.run(told_of(server.url))
                found[where] = asyncio.run(measured(server, options, _tell))
                lines = markdown(where, about, found[where], aimed=not server.embedded)
                print("\n".join(lines), flush=True)
    except KeyboardInterrupt:
        _tell("interrupted; all processes ended")
        return 130
    if options.json is not None:
        told = {where: _json(result) for where, result in found.items()}
        options.json.write_text(json.dumps(told, indent=1))
    return 1 if any(result.astray for result in found.values()) else 0


def _servers(options: Options, stack: ExitStack) -> Iterator[tuple[str, Server]]:
    if options.url:
        yield "PostgreSQL", Server(url=options.url)
    else:
        yield "PostgreSQL", stack.enter_context(postgresql())
    if options.sqlite:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="leaky-bench-"))
        yield "SQLite", Server(url=f"sqlite:///{folder}/token.db")


def _about(options: Options) -> dict[str, str]:
    return {
        "rounds": f"{options.rounds} of {options.seconds} s a load; min / median / max of them",
        "Python": platform.python_version(),
        "cores": str(len(os.sched_getaffinity(0))),
        "load average before": f"{os.getloadavg()[0]:.1f}",
    }


def _json(result: Result) -> Mapping[str, Any]:
    """All samples, and the ratios within each round."""
    cases = list(result.rounds[0].loads)
    return {
        "astray": result.astray,
        "ratios": [
            {**asdict(case), **asdict(times(result, case, lambda load: load.per_second))}
            for case in cases
        ],
        "lone": {way: asdict(lone_times(result, way)) for way in lone_ways(result)},
        "rounds": [
            {
                "loads": [
                    {**asdict(case), "way": way, **asdict(load)}
                    for case, both in each.loads.items()
                    for way, load in both.items()
                ],
                "lone": each.lone,
            }
            for each in result.rounds
        ],
    }


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
