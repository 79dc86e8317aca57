"""All checks, and how they are run: at once, each bounded, none ending the others."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from mesh.cli.doctor import (
    certificates,
    collector,
    exposure,
    machine,
    names,
    parts,
    running,
    schemas,
)
from mesh.cli.doctor.case import Case, open_case
from mesh.cli.doctor.finding import Finding, fail, ok
from mesh.telemetry.redact import scrub

SECONDS = 30.0
Check = Callable[[Case], Awaitable[list[Finding]]]
CHECKS: tuple[Check, ...] = (
    names.check,
    exposure.check,
    certificates.check,
    machine.check,
    parts.check,
    collector.check,
    schemas.check,
    running.check,
)


async def examine(env: Mapping[str, str], services: Sequence[str]) -> list[Finding]:
    """Everything there is to find about these services, in the order of the checks."""
    case, problems = open_case(env, services)
    settings = list(problems) or [ok("settings", f"taken by {', '.join(services)}")]
    answers = await asyncio.gather(*(_bounded(check, case) for check in CHECKS))
    return [*settings, *(finding for answer in answers for finding in answer)]


async def _bounded(check: Check, case: Case) -> list[Finding]:
    name = check.__module__.rpartition(".")[2]
    try:
        async with asyncio.timeout(SECONDS):
            return await check(case)
    except TimeoutError:
        return [fail(name, f"was not looked at within {SECONDS:g} s", "Try again.")]
    except Exception as error:  # noqa: BLE001 a check that breaks must not hide the others
        said = scrub(f"{type(error).__name__}: {error}")[:300]
        return [fail(name, f"could not be looked at: {said}", "Report this as a bug.")]
