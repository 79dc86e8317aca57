"""svc_token's books are whole after a backup, on a server that was wiped, and are gone on with."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from svc_token.domain.audit.pools import pool_differences
from svc_token.domain.owner import Owner, OwnerKind, PoolKey
from svc_token.stores import TOKEN_STORES
from svc_token.stores.stores import TokenStores
from tests.full.operations.scripts import script
from tests.full.postgresql.test_migrate import NEW, SERVICES, UP_TO_DATE, leaky, rows
from tests.parts.native import NativePart, native_part
from tests.parts.postgresql import execute
from tests.parts.urls import POSTGRESQL, url
from tests.svc_token.conftest import TOPICS
from tests.svc_token.stores.test_ledger_contract import (
    USER,
    org_pool,
    release,
    remaining,
    reserve,
    settle,
)

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(POSTGRESQL), reason="no real parts here"),
]
OWN = PoolKey(Owner(OwnerKind.USER, USER), "qwen")


@pytest.fixture
def server() -> Iterator[NativePart]:
    with native_part("postgresql") as part:
        part.start()
        yield part


@pytest.fixture
def env(server: NativePart, tmp_path: Path) -> Mapping[str, str]:
    """Each service on its database, as compose/native/ makes them."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("LEAKY_")}
    stores = {f"LEAKY_{name.upper()}_STORE": f"{server.url}/leaky_{name}" for name in SERVICES}
    return {**clean, "LEAKY_DATA": str(tmp_path / "data"), **stores}


async def spend(stores: TokenStores) -> None:
    """Charges, gives back and holds of an organisation's pool, and opens a user's own."""
    await org_pool(stores, 1_000)
    for name in ("charged", "back", "held"):
        await stores.ledger.submit(reserve(name, 60))
    await stores.ledger.submit(settle("charged", 50))
    await stores.ledger.submit(release("back"))
    await stores.ledger.submit(reserve("own", 7, key=OWN, allowance=100))


async def books(stores: TokenStores) -> list[Any]:
    """Balances, holds, lines and events of everybody; the balances are what their lines come to."""
    pools = await stores.audit.pools(None, 10)
    assert [list(pool_differences(pool)) for pool in pools] == [[], []]
    held = await stores.audit.reservations(None, 10)
    settled = await stores.audit.settled(None, 10)
    assert (len(held), len(settled)) == (4, 1)
    return [*pools, *held, *settled, *await stores.outbox.pending(10)]


async def schemas(env: Mapping[str, str], *arguments: str) -> dict[str, list[str]]:
    """What `leaky migrate` did, or would do."""
    _, out, _ = await leaky(env, "migrate", *arguments)
    return rows(out)


async def test_books_are_whole_after_a_backup_and_are_gone_on_with(
    server: NativePart, env: Mapping[str, str], tmp_path: Path
) -> None:
    assert await schemas(env) == NEW
    store, output = env["LEAKY_TOKEN_STORE"], str(tmp_path / "backup")
    async with TOKEN_STORES.open(store, topics=TOPICS) as stores:
        await spend(stores)
        written = await books(stores)
    made = script("backup-postgresql", output, POSTGRESQL_URL=server.url)
    assert made.returncode == 0, made.stderr
    for name in SERVICES:
        await execute(f"{server.url}/postgres", f"DROP DATABASE leaky_{name}")
    done = script("restore-postgresql", output, POSTGRESQL_URL=server.url)
    assert done.returncode == 0, done.stderr

    assert await schemas(env, "--check") == UP_TO_DATE
    async with TOKEN_STORES.open(store, topics=TOPICS) as stores:
        assert await books(stores) == written
        # What had been done is known, what was held can be charged.
        await stores.ledger.submit(settle("charged", 50))
        assert await remaining(stores) == 1_000 - 50 - 60
        await stores.ledger.submit(settle("held", 10))
        assert await remaining(stores) == 1_000 - 50 - 10
        assert [row.event_id for row in await stores.outbox.pending(10)] == ["e-charged", "e-held"]
