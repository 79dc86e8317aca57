"""The services that run on this data folder."""

import asyncio

from mesh.cli.data import LOCK, holder, service_lock
from mesh.cli.doctor.case import Case
from mesh.cli.doctor.finding import Finding, fail, ok
from mesh.cli.endpoints import Endpoint, endpoint
from mesh.cli.health import Health, health
from mesh.cli.state import read_state


async def check(case: Case) -> list[Finding]:
    """Whether each takes calls; one that does not run is no finding."""
    running = _running(case)
    if not running:
        return [ok("services", f"none runs on {case.data}")]
    states = await asyncio.gather(*(health(each) for each in running))
    return [_finding(each, state) for each, state in zip(running, states, strict=True)]


def _running(case: Case) -> list[Endpoint]:
    if holder(case.data / LOCK) is not None and (told := read_state(case.data)):
        return [each.endpoint for each in told if each.endpoint.service in case.services]
    return [
        endpoint(settings, name)
        for name, settings in case.services.items()
        if holder(service_lock(case.data, name)) is not None
    ]


def _finding(each: Endpoint, state: Health) -> Finding:
    at = f"{each.host}:{each.grpc.number}"
    if state is Health.HEALTHY:
        return ok(each.service, f"is healthy at {at}")
    return fail(
        each.service,
        f"runs and is {state} at {at}",
        "Look at what it logs, and at its /actuator/health.",
    )
