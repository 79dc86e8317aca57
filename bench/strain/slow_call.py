"""Whether one slow call moves the others' 99th percentile."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from bench.callers import SLOW_PROVIDER, TOKENS
from bench.exactness import Pool
from bench.plan import OK
from bench.spread import Spread
from bench.strain.answers import Answers
from bench.strain.crowd import Crowd
from bench.strain.options import Options
from bench.strain.place import Place
from bench.strain.tell import tell

CONNECTIONS = 16
_HEAD_START_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The same load without and with one slow call in flight all the time."""

    without: Answers
    beside: Answers
    slow: Answers

    @property
    def ratio(self) -> float:
        """Of the 99th percentiles."""
        return self.beside.done_p99_ms / self.without.done_p99_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowCall:
    """All rounds, and tokens that the slow calls' pool lost beyond what was answered."""

    rounds: list[Round]
    astray: int

    @property
    def ratio(self) -> Spread:
        """Over the rounds."""
        return Spread.of(each.ratio for each in self.rounds)

    def problems(self) -> Iterator[str]:
        """Why the figures mean nothing."""
        for each in self.rounds:
            for load in (each.without, each.beside, each.slow):
                if problem := load.unexpected({OK}):
                    yield f"one slow call: {problem}"
        if self.astray:
            yield f"one slow call: {self.astray} tokens are astray"


async def slow_call(place: Place, options: Options) -> SlowCall:
    """Loads in turn, every other round backwards."""
    caller = place.callers[0]
    # The first use makes the pool.
    first = await _slow(place, 0.01)
    pool = await asyncio.to_thread(Pool.of, place.system, caller, SLOW_PROVIDER)
    rounds = [await _round(place, options.seconds / 2, number) for number in range(options.rounds)]
    spent = sum(len(each.slow.all) for each in rounds)
    now = await asyncio.to_thread(Pool.of, place.system, caller, SLOW_PROVIDER)
    if first.unexpected({OK}) or now.until != pool.until:
        raise RuntimeError("the slow call's pool was not as it should be, or renewed meanwhile")
    return SlowCall(rounds=rounds, astray=pool.tokens - now.tokens - spent * TOKENS)


async def _round(place: Place, seconds: float, number: int) -> Round:
    load = place.quotas(CONNECTIONS, seconds)
    if number % 2:
        beside, slow = await _beside(place, load)
        without = await load()
    else:
        without = await load()
        beside, slow = await _beside(place, load)
    made = Round(without=without, beside=beside, slow=slow)
    tell(f"one slow call: {without.done_p99_ms:.2f} ms without, {beside.done_p99_ms:.2f} with")
    return made


async def _beside(place: Place, load: Crowd) -> tuple[Answers, Answers]:
    slow = asyncio.ensure_future(_slow(place, load.seconds + _HEAD_START_SECONDS))
    await asyncio.sleep(_HEAD_START_SECONDS)
    return await load(), await slow


async def _slow(place: Place, seconds: float) -> Answers:
    """One call after the other; the last one begins before the time is up."""
    return await Crowd(
        port=place.system.port,
        requests=[place.callers[0].consume(SLOW_PROVIDER)],
        connections=1,
        seconds=seconds,
    )()
