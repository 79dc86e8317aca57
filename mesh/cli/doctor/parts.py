"""Every part that the settings name, each asked in its own way, found by its URL's scheme."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from mesh.cli.doctor.case import Case
from mesh.cli.doctor.finding import Finding, fail, ok
from mesh.cli.services import service as load_service
from mesh.settings import MeshSettings
from mesh.settings.names import env_name, names_of
from mesh.storage.registry import schemes

SECONDS = 15.0
# A setting that ends so names a part.
_KINDS = {"store", "sink", "source"}
# What lives in the process, or is found as another service is.
_WITHIN = {"memory", "shared", "grpc", "static"}
# To ask another kind of part, name here what does.
PROBES = {
    "sqlite": "mesh.cli.doctor.sqlite:examine",
    "postgresql": "mesh.cli.doctor.postgresql:examine",
    "redis": "mesh.cli.doctor.redis:examine",
    "rediss": "mesh.cli.doctor.redis:examine",
    "kafka": "mesh.cli.doctor.kafka:examine",
    "cassandra": "mesh.cli.doctor.cassandra:examine",
    "consul": "mesh.cli.doctor.consul:examine",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part as one service uses it; `setting` says where it is."""

    setting: str
    url: str
    service: str
    settings: MeshSettings
    case: Case

    @property
    def variable(self) -> str:
        """The environment variable of the setting."""
        return env_name(self.setting)

    @property
    def place(self) -> str:
        """Where it is, without who asks: "127.0.0.1:5432"."""
        return urlsplit(self.url).netloc.rpartition("@")[2]


Probe = Callable[[Part], Awaitable[list[Finding]]]


async def check(case: Case) -> list[Finding]:
    """What each part says, all asked at once."""
    parts = list(parts_of(case))
    # The services' own code knows what they can open. Imports hold the loop, so they come
    # before anything is waited for.
    for service in case.services:
        load_service(service)
    for part in parts:
        _probe(part)
    answers = await asyncio.gather(*(_examine(part) for part in parts))
    return [finding for answer in answers for finding in answer]


def parts_of(case: Case) -> Iterator[Part]:
    """Every part that a service would open."""
    for service, settings in case.services.items():
        for setting, url in _urls(service, settings):
            yield Part(setting=setting, url=url, service=service, settings=settings, case=case)


def _urls(service: str, settings: MeshSettings) -> Iterator[tuple[str, str]]:
    tree = settings.model_dump(by_alias=True)
    for name in names_of(type(settings)):
        if name.path[0] == service and name.path[-1] in _KINDS:
            value: Any = tree
            for key in name.path:
                value = value[key]
            yield name.dotted, value or str(getattr(settings, "store_url", ""))
    yield "registry", settings.registry


async def _examine(part: Part) -> list[Finding]:
    scheme = urlsplit(part.url).scheme
    known = schemes(part.setting)
    if known and scheme not in known:
        there = ", ".join(f"{one}://" for one in known)
        advice = f"Set {part.variable} to one of {there}."
        return [fail(part.setting, f"nothing opens {scheme}:// there", advice)]
    if scheme in _WITHIN:
        return [] if part.setting == "registry" else [ok(part.setting, f"{scheme}://")]
    return await _asked(part)


def _probe(part: Part) -> Probe:
    scheme = urlsplit(part.url).scheme
    if scheme not in PROBES:
        return _unasked
    module, _, function = PROBES[scheme].partition(":")
    return cast("Probe", getattr(importlib.import_module(module), function))


async def _unasked(part: Part) -> list[Finding]:
    return [ok(part.setting, f"{urlsplit(part.url).scheme}:// is not looked at")]


async def _asked(part: Part) -> list[Finding]:
    examine = _probe(part)
    try:
        async with asyncio.timeout(SECONDS):
            return await examine(part)
    except TimeoutError:
        what = f"{part.place} takes connections and does not answer within {SECONDS:g} s"
        return [fail(part.setting, what, "Look at its log and at the load of its machine.")]


def away(part: Part, kind: str, error: BaseException | str) -> list[Finding]:
    """Nobody is there."""
    said = str(error).strip() or type(error).__name__
    return [
        fail(
            part.setting,
            f"no {kind} answers at {part.place}: {' '.join(said.split())[:200]}",
            f"Start it, or correct {part.variable}.",
        )
    ]


def refused(part: Part, kind: str, error: BaseException | str) -> list[Finding]:
    """It answers, and does not let us in."""
    return [
        fail(
            part.setting,
            f"{kind} at {part.place} does not let us in: {' '.join(str(error).split())[:200]}",
            f"Correct the user and the password in {part.variable}.",
        )
    ]
