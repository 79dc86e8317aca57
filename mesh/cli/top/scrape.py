"""Reads /metrics of instances."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import httpx

from mesh.cli.top.samples import Samples, parse
from mesh.cli.top.target import Target

TIMEOUT_SECONDS = 3.0
# Several processes on one port: the kernel picks one for each connection. With two, the
# chance to meet only one of them in so many is 1 to 2,000.
_CONNECTIONS = 12
_LARGEST = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """An instance's answer, or why there is none; `at` is on the monotonic clock, in seconds."""

    target: Target
    at: float
    samples: Samples | None
    problem: str = ""


async def scrape(client: httpx.AsyncClient, targets: Sequence[Target]) -> list[Scrape]:
    """All at once, in their order."""
    shared: dict[str, list[Target]] = {}
    for target in targets:
        shared.setdefault(target.url or "", []).append(target)
    rounds = await asyncio.gather(*(_port(client, url, some) for url, some in shared.items()))
    found = {id(one.target): one for some in rounds for one in some}
    return [found[id(target)] for target in targets]


async def _port(client: httpx.AsyncClient, url: str, targets: list[Target]) -> list[Scrape]:
    if not url:
        return [_none(target, "no REST port is known") for target in targets]
    answers: dict[str, tuple[float, Samples]] = {}
    problem = ""
    for _ in range(1 if len(targets) == 1 else _CONNECTIONS):
        try:
            samples = await _metrics(client, url)
        except (httpx.HTTPError, ValueError) as error:
            problem = str(error) or type(error).__name__
            break
        answers.setdefault(samples.process, (time.monotonic(), samples))
        if len(answers) == len(targets):
            break
    return _shared_out(targets, answers, problem or "another process answers on its port")


def _shared_out(
    targets: Iterable[Target], answers: dict[str, tuple[float, Samples]], problem: str
) -> list[Scrape]:
    """Which process is which nobody tells; those that are well come first."""
    left = sorted(answers.items())
    found = []
    for target in sorted(targets, key=lambda one: (one.health != "healthy", one.name)):
        if left:
            _, (at, samples) = left.pop(0)
            found.append(Scrape(target=target, at=at, samples=samples))
        else:
            found.append(_none(target, problem))
    return found


def _none(target: Target, problem: str) -> Scrape:
    return Scrape(target=target, at=time.monotonic(), samples=None, problem=problem)


async def _metrics(client: httpx.AsyncClient, url: str) -> Samples:
    """Raises httpx.HTTPError, and ValueError for an answer that is none."""
    answer = await client.get(f"{url}/metrics", headers={"connection": "close"})
    if not answer.is_success:
        hint = "; it wants actuator.token" if answer.status_code in (401, 403) else ""
        raise ValueError(f"{url}/metrics answers {answer.status_code}{hint}")
    if len(answer.content) > _LARGEST:
        raise ValueError(f"{url}/metrics answers with too much")
    return parse(answer.text)
