"""One run, from the first process to the last."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from socket import create_connection

from bench import client, wrk
from bench.callers import register
from bench.cases import HOT, cases
from bench.exactness import Exactness, Pool, counted
from bench.figures import Figures
from bench.machine import describe
from bench.measure import Drive
from bench.options import Options
from bench.processes import Memory, free_ports, memory, pin, running, until
from bench.result import Result
from bench.rounds import measured, warm
from bench.system import NO_LIMITS, System, up
from bench.yardsticks import NAMES

_START_SECONDS = 20.0
Tell = Callable[[str], None]


def run(options: Options, tell: Tell) -> Result:
    """All figures. Raises RuntimeError when something does not start or does not answer 200."""
    machine = describe(options)
    settings = {**NO_LIMITS, "mesh.multiplex": str(options.multiplexed).lower()}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leaky-bench-")))
        starts = []
        for _ in range(options.starts - 1):
            tell("starting on no data")
            with up(folder, options.profile, settings) as system:
                starts.append(system.start_seconds)
        tell("starting")
        system = stack.enter_context(up(folder, options.profile, settings))
        starts.append(system.start_seconds)
        idle = _weigh(system)
        yardsticks = stack.enter_context(_yardsticks(folder))
        figures, exact = _loaded(system, yardsticks, options, tell)
        return Result(
            options=options,
            machine=machine,
            starts=starts,
            idle=idle,
            loaded=_weigh(system),
            figures=figures,
            exact=exact,
        )


def _loaded(
    system: System, yardsticks: Mapping[str, tuple[int, int]], options: Options, tell: Tell
) -> tuple[Figures, dict[str, Exactness]]:
    tell(f"registering {options.callers} callers")
    *callers, hot, other = register(system.url, options.callers + 2)
    for pid in (*system.pids.values(), *(pid for _, pid in yardsticks.values())):
        pin(pid, options.server_core)
    pin(os.getpid(), options.load_core)
    all_cases = cases(system, yardsticks, callers, hot)
    tell("warming up")
    warm(all_cases, options.warm_calls)
    pool = Pool.of(system, hot)
    figures = Figures(list(measured(all_cases, options, _drive(options), tell)))
    tell("counting tokens")
    loads = [sample for samples in figures.rounds for sample in samples if sample.case == HOT]
    calls = sum(sample.load.answered for sample in loads)
    left_open = sum(sample.connections for sample in loads) if options.wrk else 0
    return figures, {
        f"{len(loads)} loads": pool.against(system, hot, calls=calls, open_calls=left_open),
        f"{options.counted} calls": counted(
            system, other, options.counted, max(options.connections)
        ),
    }


def _drive(options: Options) -> Drive:
    return partial(wrk.drive, wrk=options.wrk) if options.wrk else client.drive


def _weigh(system: System) -> dict[str, Memory]:
    return {name: memory(pid) for name, pid in system.pids.items()}


@contextmanager
def _yardsticks(folder: Path) -> Iterator[dict[str, tuple[int, int]]]:
    with ExitStack() as stack:
        served = {}
        for name, port in zip(NAMES, free_ports(len(NAMES)), strict=True):
            command = (sys.executable, "-m", "bench.yardsticks", name, str(port))
            process = stack.enter_context(running(command, folder / f"{name}.log"))
            served[name] = (port, process.pid)
        for port, _ in served.values():
            until(partial(_answers, port), _START_SECONDS)
        yield served


def _answers(port: int) -> bool:
    try:
        create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
