"""`python -m tests.simulation --seeds 500`, or `--seed 17 --lines` to see one of them again."""

import argparse
import gc
import multiprocessing
import sys
from collections.abc import Iterator
from functools import partial

from tests.simulation.run import OPERATIONS, Result, simulate


def main() -> int:
    """How many seeds broke something, at most 1."""
    arguments = _arguments()
    if arguments.seed is not None:
        return _replay(arguments)
    operations = broken = 0
    for result in _results(arguments):
        operations += result.operations
        broken += len(result.violations)
        if result.violations:
            _complain(result, arguments.operations)
    print(f"sim seeds={arguments.seeds} ops={operations} violations={broken}")
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=500, help="how many, counted from --first")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--operations", type=int, default=OPERATIONS, help="of each seed")
    parser.add_argument("--workers", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--lines", action="store_true", help="of --seed: print what happened")
    return parser.parse_args()


def _results(arguments: argparse.Namespace) -> Iterator[Result]:
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    work = partial(simulate, operations=arguments.operations)
    context = multiprocessing.get_context("spawn")
    # What is imported is no garbage, and is not looked through for it.
    with context.Pool(arguments.workers, initializer=gc.freeze) as pool:
        yield from pool.imap_unordered(work, seeds)


def _replay(arguments: argparse.Namespace) -> int:
    result = simulate(arguments.seed, arguments.operations, keep=arguments.lines)
    for line in result.lines:
        print(line)
    for violation in result.violations:
        print(violation)
    print(f"trace={result.digest} {result.figures}")
    print(f"sim seeds=1 ops={result.operations} violations={len(result.violations)}")
    return 1 if result.violations else 0


def _complain(result: Result, operations: int) -> None:
    print(f"seed {result.seed} breaks:")
    for violation in result.violations:
        print(f"  {violation}")
    more = "" if operations == OPERATIONS else f" --operations {operations}"
    print(f"  again: python -m tests.simulation --seed {result.seed}{more} --lines", flush=True)


if __name__ == "__main__":
    sys.exit(main())
