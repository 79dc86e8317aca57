"""A purchase whose process is killed, or stopped, is taken to its end by another."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import orjson
import pytest

from mesh.errors import AppError
from svc_stubs.stores import SCHEMAS as STUBS_SCHEMAS
from svc_token.domain.payment import PaymentState
from svc_token.domain.saga import Status, Step
from svc_token.stores import SCHEMAS, TOKEN_STORES
from svc_token.stores.grpc_payments import GrpcPayments
from svc_token.stores.stores import TokenStores
from svc_token.workers.saga_runner import SagaRunner
from tests.full.postgresql.saga_process import bank, runner
from tests.parts.postgresql import migrated_database
from tests.parts.urls import POSTGRESQL, url
from tests.svc_token.conftest import TOPICS
from tests.svc_token.crossings import Crossings
from tests.svc_token.stores.test_sagas_contract import SAGA

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(POSTGRESQL), reason="needs a PostgreSQL"),
]
ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 60.0
# After the claim, and around the authorisation, the capture and the allocation.
CROSSINGS = {
    "claimed": 2,
    "authorised": 4,
    "about-to-capture": 7,
    "captured": 8,
    "about-to-allocate": 13,
    "allocated": 14,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Village:
    """Both databases, and this process' own runner."""

    urls: tuple[str, str]
    folder: Path
    stores: TokenStores
    payments: GrpcPayments
    runner: SagaRunner

    async def child(self, at: int, number: signal.Signals) -> Process:
        arguments = [*self.urls, str(self.folder), str(at), str(int(number))]
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.full.postgresql.saga_process", *arguments), cwd=ROOT
        )

    async def begin(self) -> str:
        """A purchase that nobody holds yet."""
        saga = replace(SAGA, id=str(uuid4()), idempotency_key=None)
        return (await self.stores.sagas.start(saga, "e1")).id

    async def drain(self) -> None:
        """What the loop does: round after round, with the pauses that the runner asks for."""
        async with asyncio.timeout(PATIENCE):
            while await self.stores.sagas.unfinished(1):
                # On a busy machine a step may outlive its lease; it is tried again.
                with suppress(AppError):
                    await self.runner()
                await asyncio.sleep(self.runner.idle_seconds())

    async def ended_right(self, saga_id: str) -> None:
        saga = await self.stores.sagas.find(saga_id)
        assert saga is not None
        assert (saga.status, saga.step) == (Status.COMPLETED, Step.NONE)
        [payment] = await self.payments.list(100)
        assert (payment.id, payment.state) == (saga_id, PaymentState.CAPTURED)
        pool = await self.stores.pools.find(SAGA.pool)
        assert pool is not None
        assert pool.purchased == payment.tokens == SAGA.tokens
        rows = await self.stores.outbox.pending(100)
        assert [orjson.loads(row.payload)["type"] for row in rows] == [
            "TOKEN_PURCHASE_STARTED",
            "TOKEN_PAYMENT_RESERVED",
            "TOKEN_ALLOCATED",
            "TOKEN_PURCHASE_COMPLETED",
        ]


@pytest.fixture
async def village(tmp_path: Path) -> AsyncIterator[Village]:
    token = await migrated_database("token", SCHEMAS)
    stubs = await migrated_database("stubs", STUBS_SCHEMAS)
    async with TOKEN_STORES.open(token, topics=TOPICS) as stores, bank(stubs, tmp_path) as payments:
        mine = runner(stores, payments, tmp_path, "parent", Crossings())
        yield Village(
            urls=(token, stubs), folder=tmp_path, stores=stores, payments=payments, runner=mine
        )


@pytest.mark.parametrize("at", CROSSINGS.values(), ids=CROSSINGS)
async def test_what_a_killed_process_held_another_takes_to_its_end(
    village: Village, at: int
) -> None:
    saga_id = await village.begin()
    child = await village.child(at, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE):
        assert await child.wait() == -signal.SIGKILL
    assert await village.stores.sagas.unfinished(1)
    await village.drain()
    await village.ended_right(saga_id)


@pytest.mark.parametrize("at", [2, 8, 13], ids=["claimed", "captured", "about-to-allocate"])
async def test_a_stopped_process_that_wakes_after_another_went_on_changes_nothing(
    village: Village, at: int
) -> None:
    saga_id = await village.begin()
    child = await village.child(at, signal.SIGSTOP)
    await stopped(child.pid)
    await village.drain()
    await village.ended_right(saga_id)
    os.kill(child.pid, signal.SIGCONT)
    async with asyncio.timeout(PATIENCE):
        # Whatever it was at is answered: the payment is known, the step is another's.
        await child.wait()
    await village.ended_right(saga_id)


async def stopped(pid: int) -> None:
    """Waits until the process stands still."""
    async with asyncio.timeout(PATIENCE):
        while _state(pid) != "T":  # noqa: ASYNC110 another process, which tells nobody
            await asyncio.sleep(0.01)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
