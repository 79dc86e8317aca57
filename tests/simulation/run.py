"""One seed: a town, some people, bad luck, then calm, and a look at what is left."""

import asyncio
import random as randomness
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import structlog

from mesh.errors import AppError
from svc_token.usecases.reserve import RateLimitedError
from tests.simulation.audit import Audit
from tests.simulation.checks import Evidence, violations_of
from tests.simulation.clients import USERS, Client
from tests.simulation.fate import Fate
from tests.simulation.faults import Faults
from tests.simulation.history import History
from tests.simulation.town import HOLD_MARGIN_SECONDS, Town, new_town

OPERATIONS = 200
# Beyond the last hold's time and the ten seconds in which the sweeper must have come.
CALM_SECONDS = 15.0
Plant = Callable[[Town], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a seed came to; `digest` is the same whenever it is run again."""

    seed: int
    operations: int
    violations: tuple[str, ...]
    digest: str
    lines: tuple[str, ...] = ()
    figures: dict[str, int] = field(default_factory=dict)


def simulate(
    seed: int,
    operations: int = OPERATIONS,
    *,
    faults: Faults | None = None,
    plant: Plant | None = None,
    settings: Mapping[str, str] | None = None,
    keep: bool = False,
) -> Result:
    """Runs a seed. `plant` may break the town while it runs, `settings` change its own."""
    random = Random(f"leaky {seed}")  # noqa: S311 it is to be guessed
    mixture = faults or Faults.of(random)
    with ExitStack() as stack:
        errors: list[str] = []
        stack.enter_context(_quiet(seed, errors))
        town = new_town(random, mixture, {**_settings(random), **(settings or {})}, keep=keep)
        stack.callback(town.close)
        stack.enter_context(town.seams())
        if plant is not None:
            stack.enter_context(plant(town))
        audit, history = Audit(town.database, town.clock), History()
        town.database.committed = audit
        # Whatever comes of it, nobody is left running.
        stack.callback(town.loop.bury)
        town.loop.run_until_complete(_live(town, history, operations))
        town.trace("end")
        evidence = Evidence(town=town, audit=audit, history=history, errors=errors)
        return Result(
            seed=seed,
            operations=len(history.calls),
            violations=tuple(violations_of(evidence)),
            digest=town.trace.digest,
            lines=tuple(town.trace.lines),
            figures={
                "steps": town.loop.steps,
                "commits": audit.snapshots,
                "starts": town.started,
                "stops": town.stopped,
            },
        )


async def _live(town: Town, history: History, operations: int) -> None:
    town.trace("faults", town.network.faults)
    fate = Fate(town)
    town.loop.fate = fate
    for _ in range(town.loop.random.choice((2, 3))):
        town.start()
    await asyncio.sleep(0.5)
    clients = [Client(town, history, user) for user in USERS]
    await clients[0].found()
    async with asyncio.TaskGroup() as group:
        for index, client in enumerate(clients):
            share = len(range(index, operations, len(clients)))
            group.create_task(client.run(share))
    town.trace("calm")
    fate.end()
    town.network.faults = town.network.faults.healed()
    hold = town.settings.current.deadlines.consume + HOLD_MARGIN_SECONDS
    await asyncio.sleep(hold + CALM_SECONDS)


def _settings(random: Random) -> dict[str, str]:
    """Small pools, small buckets, short windows: what is rare elsewhere is common here."""
    return {
        "LEAKY_TOKEN_BUCKET_STRATEGY": random.choice(
            ("LEAKY_BUCKET", "TOKEN_BUCKET", "FIXED_WINDOW")
        ),
        "LEAKY_TOKEN_BUCKET_CAPACITY": str(random.choice((80, 200, 1000))),
        "LEAKY_TOKEN_BUCKET_LEAK_RATE_PER_SECOND": str(random.choice((5, 20, 100))),
        "LEAKY_TOKEN_BUCKET_WINDOW_SECONDS": "5",
        "LEAKY_TOKEN_TIERS_LEVELS_USER_QUOTA_MAX_TOKENS": str(random.choice((150, 400, 2000))),
        "LEAKY_TOKEN_QUOTA_WINDOW": str(random.choice((7, 20, 3600))),
        "LEAKY_TOKEN_SAGA_LEASE": random.choice(("3", "10")),
        "LEAKY_TOKEN_SAGA_RECOVERY_INTERVAL": "2",
        "LEAKY_TOKEN_SAGA_SIMULATE_FAILURE": str(random.random() < 0.15).lower(),
        "LEAKY_DEADLINES_CONSUME": "4",
    }


@contextmanager
def _quiet(seed: int, errors: list[str]) -> Iterator[None]:
    """Nothing is printed, and every logged error counts.

    Jitter comes from the seed.
    """

    def collect(_logger: object, level: str, event: Any) -> Any:
        if level in {"error", "exception", "critical"}:
            error = event.get("exc_info")
            error = sys.exception() if error is True else error
            # Refusals, of calls whose client has gone away.
            if not isinstance(error, AppError | RateLimitedError):
                errors.append(f"{event.get('event')}: {error!r} {event}")
        raise structlog.DropEvent

    config, state = structlog.get_config(), randomness.getstate()
    structlog.configure(processors=[collect])
    randomness.seed(seed)
    try:
        yield
    finally:
        randomness.setstate(state)
        structlog.configure(**config)
