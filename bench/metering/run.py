"""One run: all loads in both ways, in turn, and lone reserves."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bench.metering.load import Load, drive, reserve
from bench.metering.options import Options
from bench.metering.plain import plain
from bench.metering.server import Server
from bench.metering.ways import GROUP, SINGLE, TOPICS, Submit, singly
from svc_token.ports import Pools
from svc_token.stores import SCHEMAS, TOKEN_STORES

BARE = "plain statements on asyncpg"
# Pools beyond those of the loads.
_LONE = 1_000_000
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """So many callers on so many pools; 1 is the hot pool."""

    pools: int
    callers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round saw: each case's loads, and lone reserves in seconds, by way."""

    loads: Mapping[Case, Mapping[str, Load]]
    lone: Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All rounds, and how many tokens the pools lost that no answer accounts for: 0."""

    rounds: Sequence[Round]
    astray: int


async def measured(server: Server, options: Options, tell: Tell) -> Result:
    """Every round; every other one runs backwards."""
    async with SCHEMAS.open(server.url) as schema:
        await schema.upgrade()
    async with (
        TOKEN_STORES.open(server.url, topics=TOPICS) as stores,
        singly(server.url, options.connections) as single,
    ):
        ways = {GROUP: stores.ledger.submit, SINGLE: single}
        tell("warming up")
        warm = [
            await drive(submit, server, pools=options.pools, callers=32, seconds=0.5)
            for submit in ways.values()
        ]
        rounds = []
        for number in range(options.rounds):
            tell(f"round {number + 1} of {options.rounds}")
            loads = await _loads(server, ways, options, backwards=bool(number % 2))
            lone = await _lone(server, stores.pools, ways, options.lone)
            rounds.append(Round(loads=loads, lone=lone))
        every = [load for each in rounds for both in each.loads.values() for load in both.values()]
        # Each token is reserved by one operation and settled by another.
        spent = sum(load.operations for load in (*warm, *every)) // 2
        return Result(rounds=rounds, astray=await _used(stores.pools, options.pools) - spent)


async def _loads(
    server: Server, ways: Mapping[str, Submit], options: Options, *, backwards: bool
) -> dict[Case, dict[str, Load]]:
    cases = [
        Case(pools=pools, callers=many) for many in options.callers for pools in (1, options.pools)
    ]
    order = [(case, way) for case in cases for way in ways]
    loads: dict[Case, dict[str, Load]] = {case: {} for case in cases}
    for case, way in reversed(order) if backwards else order:
        loads[case][way] = await drive(
            ways[way], server, pools=case.pools, callers=case.callers, seconds=options.seconds
        )
    return loads


async def _lone(
    server: Server, pools: Pools, ways: Mapping[str, Submit], calls: int
) -> dict[str, list[float]]:
    """One caller, nobody else; the ways take turns call by call, each on a pool of its own."""
    taken: dict[str, list[float]] = {way: [] for way in ways}
    own = dict(zip(ways, range(_LONE, _LONE + len(ways)), strict=True))
    async with AsyncExitStack() as stack:
        bare = None
        if not server.embedded:
            first = reserve(_LONE + len(ways))
            await ways[SINGLE](first)
            pool = await pools.find(first.pool)
            assert pool is not None  # noqa: S101 it was just made
            bare = await stack.enter_async_context(plain(server.url, pool))
            taken[BARE] = []
        for _ in range(calls):
            for way, submit in ways.items():
                operation = reserve(own[way])
                start = time.perf_counter()
                await submit(operation)
                taken[way].append(time.perf_counter() - start)
            if bare is not None:
                taken[BARE].append(await bare(reserve(_LONE + len(ways))))
    return taken


async def _used(pools: Pools, count: int) -> int:
    found = [await pools.find(reserve(number).pool) for number in range(count)]
    return sum(pool.allowance_used for pool in found if pool is not None)
