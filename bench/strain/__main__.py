"""`python -m bench.strain`: what is too much for others, and is borne all the same."""

import asyncio
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import uvloop

from bench.strain.cancelled import cancelled
from bench.strain.kill import kill
from bench.strain.killed import Killed
from bench.strain.options import CANCEL, KILL, OVERLOAD, SLOW, Options, parse
from bench.strain.overload import overload
from bench.strain.place import Place, placed
from bench.strain.report import markdown
from bench.strain.result import Result
from bench.strain.slow_call import slow_call
from bench.strain.tell import tell

_UNSOUND, _INTERRUPTED = 1, 130


def main(given: Sequence[str]) -> int:
    """0, or 1 when an answer was none that may be or a token is astray; never for slowness."""
    options = parse(given)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A file for each connection, in the services too, which inherit it.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        result = run(options)
    except KeyboardInterrupt:
        return _INTERRUPTED
    print("\n".join(markdown(result, options)))
    problems = result.problems()
    for problem in problems:
        tell(problem)
    return _UNSOUND if problems else 0


def run(options: Options) -> Result:
    """All parts that are chosen. Raises RuntimeError when a system does not start or answer."""
    before = os.getloadavg()[0]
    # First, as it has the most to start that may not.
    killed = _killed(options) if KILL in options.parts else []
    result = _on_one(options) if {*options.parts} - {KILL} else Result()
    return replace(result, killed=killed, load=(before, os.getloadavg()[0]))


def _killed(options: Options) -> list[Killed]:
    """Each on a system of its own, which starts with empty books."""
    found = []
    for instances in options.instances:
        with tempfile.TemporaryDirectory(prefix="leaky-bench-") as folder:
            found.append(kill(Path(folder), options, instances))
    return found


def _on_one(options: Options) -> Result:
    with (
        tempfile.TemporaryDirectory(prefix="leaky-bench-") as folder,
        placed(Path(folder), options) as place,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(_measured(place, options))


async def _measured(place: Place, options: Options) -> Result:
    parts = options.parts
    slow = await slow_call(place, options) if SLOW in parts else None
    # Before the overload, which leaves memory behind that has once been needed.
    left = await cancelled(place, options) if CANCEL in parts else None
    limits = options.limits if OVERLOAD in parts else ()
    return Result(
        slow=slow,
        cancelled=left,
        overloads=[await overload(place, options, limit) for limit in limits],
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
