"""Reads /metrics of instances."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from mesh.cli.top.samples import Samples, parse
from mesh.cli.top.target import Target

TIMEOUT_SECONDS = 3.0
_LARGEST = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """An instance's answer, or why there is none; `at` is on the monotonic clock, in seconds."""

    target: Target
    at: float
    samples: Samples | None
    problem: str = ""


async def scrape(client: httpx.AsyncClient, targets: Sequence[Target]) -> list[Scrape]:
    """All at once, in their order; `at` is when they were asked, as Prometheus has it, too."""
    at = time.monotonic()
    return list(await asyncio.gather(*(_scrape(client, target, at) for target in targets)))


async def _scrape(client: httpx.AsyncClient, target: Target, at: float) -> Scrape:
    problem, samples = "no REST port is known", None
    if target.url is not None:
        try:
            samples, problem = await _metrics(client, target.url), ""
        except (httpx.HTTPError, ValueError) as error:
            problem = str(error) or type(error).__name__
    return Scrape(target=target, at=at, samples=samples, problem=problem)


async def _metrics(client: httpx.AsyncClient, url: str) -> Samples:
    """Raises httpx.HTTPError, and ValueError for an answer that is none."""
    answer = await client.get(f"{url}/metrics")
    if not answer.is_success:
        hint = "; it wants actuator.token" if answer.status_code in (401, 403) else ""
        raise ValueError(f"{url}/metrics answers {answer.status_code}{hint}")
    if len(answer.content) > _LARGEST:
        raise ValueError(f"{url}/metrics answers with too much")
    return parse(answer.text)
