"""`make faults`: kills, stops and cuts off the real processes, and counts what that cost."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.faults.run import Plan, run


def main() -> int:
    """0 when nothing was lost, done twice or spent over the cap, and no failpoint was missed."""
    arguments = _arguments()
    folder = Path(tempfile.mkdtemp(prefix="leaky-faults-"))
    folder.chmod(0o755)
    plan = Plan(
        seed=arguments.seed,
        schedules=arguments.schedules,
        ops=arguments.ops,
        matrix=arguments.matrix,
        only=arguments.only,
        parts=tuple(arguments.parts.split(",")),
        folder=folder,
    )
    print(f"seed {plan.seed}, logs and history in {folder}", flush=True)
    figures = asyncio.run(run(plan))
    print(figures.line(), flush=True)
    return 0 if figures.fine else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--schedules", type=int, default=20)
    parser.add_argument("--ops", type=int, default=2000, help="operations in each schedule")
    parser.add_argument("--matrix", type=int, default=3, help="kills at each failpoint")
    parser.add_argument("--only", default="", help="only failpoints whose names hold this")
    parser.add_argument("--parts", default="postgresql,redis,kafka")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
