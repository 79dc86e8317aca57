"""Ten times as many callers as at the peak, each of which comes back when it is told to."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench.plan import OK
from bench.strain.answers import REFUSALS, Answers, back_after
from bench.strain.options import Options
from bench.strain.place import Place
from bench.strain.tell import tell

LIGHT = 16
# Of the light load's p99 before.
NORMAL = 1.5
_LOOK_SECONDS = 0.25
_LIGHT_SECONDS = 4
Rss = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overload:
    """The loads in their order, with `mesh.max-in-flight` at `limit`, and RSS in MiB."""

    limit: int
    light: Answers
    peak: Answers
    over: Answers
    after: Answers
    before_rss: Rss
    most_rss: Rss
    after_rss: Rss

    @property
    def share(self) -> float:
        """The overload's goodput as a share of the peak."""
        return self.over.goodput / self.peak.goodput

    @property
    def back_after(self) -> float:
        """When a light load was as before, in seconds since the overload ended."""
        return back_after(self.after, NORMAL * self.light.done_p99_ms)

    def growth(self, service: str) -> float:
        """The most that the service ever held, as a multiple of what it held before."""
        return self.most_rss[service] / self.before_rss[service]

    def loads(self) -> Iterator[tuple[str, Answers]]:
        """By name, in their order."""
        yield from (("light", self.light), ("peak", self.peak))
        yield from (("overload", self.over), ("light again", self.after))

    def problems(self) -> Iterator[str]:
        """Why the figures mean nothing."""
        for name, load in self.loads():
            if problem := load.unexpected({OK, *REFUSALS}):
                yield f"overload with {self.limit} in flight, {name}: {problem}"


async def overload(place: Place, options: Options, limit: int) -> Overload:
    """Light, peak, overload, light again."""
    await asyncio.to_thread(place.change, {"mesh.max-in-flight": str(limit)})
    half = options.seconds / 2
    peak_load = place.quotas(options.connections, half)
    await place.quotas(options.connections, 1)()
    light = await place.quotas(LIGHT, half)()
    peak = await peak_load()
    before = place.rss()
    async with _watching(place) as most:
        over = await place.quotas(options.connections * options.times, options.seconds)()
    after = await place.quotas(LIGHT, _LIGHT_SECONDS)()
    tell(f"overload: {peak.goodput:.0f}/s at the peak, {over.goodput:.0f}/s with {over.statuses}")
    return Overload(
        limit=limit,
        light=light,
        peak=peak,
        over=over,
        after=after,
        before_rss=before,
        most_rss=most,
        after_rss=place.rss(),
    )


@asynccontextmanager
async def _watching(place: Place) -> AsyncIterator[dict[str, float]]:
    """The most that each holds meanwhile."""
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
