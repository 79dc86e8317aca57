"""Runs scenarios, one after the other, each in a Locust process of its own."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.locust.accounts import made_ready
from bench.locust.command import command, environment
from bench.locust.figures import Figures, read
from bench.locust.options import Options
from bench.processes import ROOT
from bench.system import up

# A check is for wrong answers; slow ones are told by their times.
PATIENT = {
    **{f"deadlines.{kind}": "30s" for kind in ("edge", "mesh", "consume", "purchase")},
    "provider.timeout": "20s",
}


def run(options: Options) -> Iterator[Figures]:
    """The figures of each.

    Raises ValueError when Locust does not come to any, and NoAccountError.
    """
    with tempfile.TemporaryDirectory(prefix="leaky-load-") as folder, _target(options) as target:
        # On Locust's page somebody else may be chosen.
        accounts = None if options.web else made_ready(target, Path(folder) / "accounts.json")
        for scenario in target.scenarios:
            file = Path(folder) / f"{scenario}.json"
            # Its exit code says only that there were failures, which the figures name.
            subprocess.run(  # noqa: S603 our own command
                command(target, scenario, file, accounts),
                env=environment(target),
                cwd=ROOT,
                check=False,
            )
            yield read(scenario, file)


@contextmanager
def _target(options: Options) -> Iterator[Options]:
    """The options, at a system of their own if they ask for one."""
    if not options.up:
        yield options
        return
    with (
        tempfile.TemporaryDirectory(prefix="leaky-load-") as folder,
        up(Path(folder), "local", PATIENT) as system,
    ):
        target = f"127.0.0.1:{system.ports['analytics.grpc-port']}"
        yield replace(options, base_url=system.url, grpc_target=target)
