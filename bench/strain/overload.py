"""Ten times as many callers as at the peak, each of which comes back when it is told to."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from bench.processes import cpu_seconds
from bench.strain.answers import Answers
from bench.strain.crowd import Crowd
from bench.strain.options import Options
from bench.strain.overloaded import AFTER, BEFORE, LIGHT, OVER, PEAK, PEAK_AGAIN, Loaded, Overloaded
from bench.strain.place import Place
from bench.strain.tell import tell

_LIGHT = 16
_LIGHT_SECONDS = 4
_LOOK_SECONDS = 0.25


async def overload(place: Place, options: Options, limit: int) -> Overloaded:
    """Light, peak, overload, light again, and the peak again, as the machine may be another's."""
    await asyncio.to_thread(place.change, {"mesh.max-in-flight": str(limit)})
    half, most = options.seconds / 2, options.connections * options.times
    peak = place.quotas(options.connections, half)
    await peak()
    rss = {BEFORE: place.rss()}
    loads = {
        LIGHT: await _costed(place, place.quotas(_LIGHT, half)),
        PEAK: await _costed(place, peak),
    }
    async with _watching(place) as rss[OVER]:
        loads[OVER] = await _costed(place, place.quotas(most, options.seconds))
    loads[AFTER] = await _costed(place, place.quotas(_LIGHT, _LIGHT_SECONDS))
    rss[AFTER] = place.rss()
    loads[PEAK_AGAIN] = await _costed(place, peak)
    tell(f"overload, {limit} in flight: {_said(loads)}")
    return Overloaded(limit=limit, loads=loads, rss=rss)


async def _costed(place: Place, crowd: Crowd) -> Loaded:
    before = _spent(place)
    answers: Answers = await crowd()
    return Loaded(answers=answers, cpu_seconds=_spent(place) - before)


def _spent(place: Place) -> float:
    return sum(map(cpu_seconds, place.system.pids.values()))


def _said(loads: Mapping[str, Loaded]) -> str:
    return ", ".join(f"{name} {load.answers.goodput:.0f}/s" for name, load in loads.items())


@asynccontextmanager
async def _watching(place: Place) -> AsyncIterator[dict[str, float]]:
    """The most that each holds meanwhile, in MiB."""
    most = place.rss()

    async def look() -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = await asyncio.to_thread(place.rss)
            most.update({name: max(held, most[name]) for name, held in now.items()})

    looking = asyncio.ensure_future(look())
    try:
        yield most
    finally:
        looking.cancel()
