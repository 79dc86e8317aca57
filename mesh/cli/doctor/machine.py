"""This machine: ports and disk."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from mesh.cli.data import holder, service_lock
from mesh.cli.doctor.case import Case
from mesh.cli.doctor.finding import Finding, fail, ok, warn
from mesh.cli.endpoints import Port, check_ports, endpoint
from mesh.cli.refusal import RefusedError

MEBIBYTE = 1024**2
LITTLE, TOO_LITTLE = 1024 * MEBIBYTE, 100 * MEBIBYTE


async def check(case: Case) -> list[Finding]:
    """Whether the services that do not run could listen and write."""
    return [*_ports(case), *_disk(case.data)]


def _ports(case: Case) -> Iterator[Finding]:
    wanted = list(_wanted(case))
    try:
        check_ports(wanted)
    except RefusedError as error:
        for problem in str(error).split("; port "):
            what, _, advice = problem.removeprefix("port ").partition("; ")
            yield fail("ports", f"port {what}", f"{advice[:1].upper()}{advice[1:]}.")
    else:
        if wanted:
            yield ok("ports", f"{len(wanted)} ports are free for services that do not run")


def _wanted(case: Case) -> Iterator[Port]:
    for name, settings in case.services.items():
        if holder(service_lock(case.data, name)) is None:
            yield from endpoint(settings, name).ports


def _disk(data: Path) -> Iterator[Finding]:
    place = next(path for path in (data.absolute(), *data.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    what = f"{free // MEBIBYTE} MiB are free"
    advice = "Free some space, or move LEAKY_DATA: a full disk refuses what is to be stored."
    if free < TOO_LITTLE:
        yield fail(str(data), what, advice)
    elif free < LITTLE:
        yield warn(str(data), what, advice)
    else:
        yield ok(str(data), what)
