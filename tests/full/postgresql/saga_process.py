"""A process that advances purchases and, at one crossing, sends itself a signal.

Its arguments are the two databases' URLs, its data folder, the crossing and the signal.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mesh.clock import RandomIds, SystemClock
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.local_channel import LocalChannel
from mesh.settings import Live
from svc_stubs.servicers import PaymentServicer
from svc_stubs.settings import StubsSettings
from svc_stubs.stores import open_books
from svc_stubs.usecases.payments import Payments
from svc_stubs.wiring import LiveFaults
from svc_token.limits import LiveLimits
from svc_token.settings import TokenSettings
from svc_token.stores import TOKEN_STORES
from svc_token.stores.grpc_payments import GrpcPayments
from svc_token.stores.stores import TokenStores
from svc_token.usecases.advance_purchase import AdvancePurchase
from svc_token.workers.saga_runner import SagaRunner
from tests.svc_token.conftest import TOPICS, FakeRoles
from tests.svc_token.crossings import Crossings

LEASE = {"LEAKY_TOKEN_SAGA_LEASE": "3s"}


@asynccontextmanager
async def bank(url: str, folder: Path) -> AsyncIterator[GrpcPayments]:
    """The payment double on its own database."""
    faults = LiveFaults(Live.read(StubsSettings, {"LEAKY_DATA": str(folder)}))
    async with open_books(url) as books:
        dispatcher = Dispatcher([])
        payments = Payments(books=books, faults=faults, clock=SystemClock())
        dispatcher.add(PaymentServicer(payments))
        yield GrpcPayments(LocalChannel(dispatcher))


def runner(
    stores: TokenStores, payments: Any, folder: Path, holder: str, crossings: Crossings
) -> SagaRunner:
    """A runner, all of whose calls cross."""
    limits = LiveLimits(Live.read(TokenSettings, {"LEAKY_DATA": str(folder), **LEASE}))
    sagas = crossings.watching("sagas", stores.sagas)
    advance = AdvancePurchase(
        sagas=sagas,
        payments=crossings.watching("payments", payments),
        roles=crossings.watching("roles", FakeRoles()),
        limits=limits,
        clock=SystemClock(),
        ids=RandomIds(),
    )
    return SagaRunner(
        sagas=sagas, advance=advance, limits=limits, clock=SystemClock(), holder=holder
    )


async def _main(token: str, stubs: str, folder: Path, at: int, signal: int) -> None:
    async def sends(_crossings: Crossings) -> None:
        os.kill(os.getpid(), signal)

    async with TOKEN_STORES.open(token, topics=TOPICS) as stores, bank(stubs, folder) as payments:
        await runner(stores, payments, folder, "child", Crossings(at=at, then=sends))()


if __name__ == "__main__":
    _, TOKEN, STUBS, FOLDER, AT, SIGNAL = sys.argv
    asyncio.run(_main(TOKEN, STUBS, Path(FOLDER), int(AT), int(SIGNAL)))
