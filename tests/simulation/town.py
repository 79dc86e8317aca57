"""Puts a simulated town together: instances of svc_token as their own wiring builds them.

Only what reaches outside a process is another: the database, the shared
buckets, the provider's HTTP, the channels, and no REST.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any
from unittest.mock import patch

from leaky.analytics.v1.ingest_service_pb2 import PublishUsageResponse
from mesh.identity.principal import Principal
from mesh.rpc.call import Call
from mesh.rpc.dispatcher import Dispatcher, Handler, Interceptor
from mesh.rpc.interceptors.deadline import DeadlineInterceptor
from mesh.rpc.interceptors.errors import map_errors
from mesh.rpc.interceptors.validation import ValidationInterceptor
from mesh.rpc.local_channel import LocalChannel
from mesh.service import Context
from mesh.settings import Live
from mesh.storage import sql
from svc_analytics.servicers.messages import usage_event
from svc_analytics.stores import sql as analytics_sql
from svc_analytics.usecases.ingest import Ingest
from svc_token import limits, wiring
from svc_token.settings import TokenSettings
from svc_token.stores import BUCKETS
from svc_token.stores.buckets_memory import MemoryBuckets
from svc_token.stores.tables import METADATA
from tests.simulation.database import Server, SimDatabase
from tests.simulation.faults import Faults
from tests.simulation.loop import CountedIds, Process, VirtualClock, VirtualLoop
from tests.simulation.network import Network
from tests.simulation.trace import Trace
from tests.simulation.world import Bank, Line, Provider, SharedBuckets, roles_line

CALLER = "x-simulated-user"
# Short, so that holds run out while things still go wrong.
HOLD_MARGIN_SECONDS = 4.0
# As it is in earnest: whoever takes a key over finds the hold still there.
CLAIM_MARGIN_SECONDS = 2.0
# Long: a look at an empty outbox costs time and finds nothing.
RELAY_PAUSE_SECONDS = 1.0
KEPT_US = 6 * 3_600_000_000


class Everybody:
    """Whose data a caller may see: anyone's, as in the profile `local`."""

    async def may_see(self, *_: object, **__: object) -> bool:
        """Yes."""
        return True


@dataclass(slots=True, eq=False)
class Instance:
    """One process of svc_token; `channel` reaches its methods once it is up."""

    process: Process
    channel: LocalChannel | None = None


@dataclass(slots=True)
class Town:
    """Everything that there is in one run."""

    loop: VirtualLoop
    network: Network
    trace: Trace
    settings: Live[TokenSettings]
    database: Server
    warehouse: Server
    provider: Provider
    bank: Bank
    buckets: SharedBuckets
    lines: dict[str, Line]
    instances: list[Instance] = field(default_factory=list)
    started: int = 0
    stopped: int = 0

    @property
    def clock(self) -> VirtualClock:
        """The one time of all."""
        return VirtualClock(self.loop)

    def start(self) -> Instance:
        """Another instance of svc_token."""
        self.started += 1
        process = Process(f"token-{self.started}", mortal=True)
        instance = Instance(process)
        self.trace("starts", process.name)
        self.instances.append(instance)
        self._must_last(self._serve(instance, CountedIds(self.started)), process)
        return instance

    async def _serve(self, instance: Instance, ids: CountedIds) -> None:
        mesh: Any = self.settings
        chain: list[Interceptor] = [
            map_errors,
            DeadlineInterceptor(mesh),
            _principal,
            ValidationInterceptor(),
        ]
        dispatcher = Dispatcher(chain)
        everybody: Any = Everybody()
        context = Context(
            name="token",
            settings=self.settings,
            clock=self.clock,
            ids=ids,
            channel=self.lines.__getitem__,
            local=LocalChannel(dispatcher),
            dispatcher=dispatcher,
            identity=everybody,
        )
        async with wiring.build(context) as parts:
            for servicer in parts.servicers:
                dispatcher.add(servicer)
            for worker in parts.workers:
                self._must_last(_working(worker), instance.process)
            instance.channel = LocalChannel(dispatcher)
            # Until the process' end, which is sudden.
            await self.loop.create_future()

    def _must_last(self, work: Coroutine[Any, Any, None], process: Process) -> None:
        """What ends by itself is a fault, as it would end the whole process."""

        def ended(task: asyncio.Task[None]) -> None:
            error = None if task.cancelled() else task.exception()
            self.loop.faults.append(f"{process.name} ended: {error!r}")

        self.loop.spawn(process, work).add_done_callback(ended)

    @contextmanager
    def seams(self) -> Iterator[None]:
        """While open, the real wiring gets the simulated outside."""

        @asynccontextmanager
        async def database(*_: object, **__: object) -> AsyncIterator[SimDatabase]:
            yield SimDatabase(self.database, self.loop.current)

        @asynccontextmanager
        async def buckets(*_: object, **__: object) -> AsyncIterator[SharedBuckets]:
            yield self.buckets

        with ExitStack() as stack:
            for place, name, instead in (
                (sql, "open_database", database),
                (BUCKETS, "open", buckets),
                (wiring, "Providers", lambda *_, **__: self.provider),
                (wiring, "service_app", lambda **_: None),
                (limits, "HOLD_MARGIN_SECONDS", HOLD_MARGIN_SECONDS),
                (limits, "CLAIM_MARGIN_SECONDS", CLAIM_MARGIN_SECONDS),
                (wiring, "RELAY_PAUSE_SECONDS", RELAY_PAUSE_SECONDS),
            ):
                stack.enter_context(patch.object(place, name, instead))
            yield

    def close(self) -> None:
        """Forgets the tables."""
        self.database.close()
        self.warehouse.close()


async def _principal(request: Any, call: Call, proceed: Handler) -> Any:
    user = call.metadata[CALLER]
    call.principal = Principal(user_id=user, roles=frozenset({"USER"}), token=user)
    return await proceed(request, call)


async def _working(worker: Callable[[], Awaitable[None]]) -> None:
    await worker()


def new_town(random: Random, faults: Faults, env: dict[str, str], *, keep: bool) -> Town:
    """A town in which nothing runs yet."""
    loop = VirtualLoop(random)
    trace = Trace(loop, keep=keep)
    network = Network(loop, faults, trace)
    settings = Live.read(TokenSettings, env)
    warehouse = Server(network, analytics_sql.METADATA, "warehouse")
    store = analytics_sql.SqlUsageStore(SimDatabase(warehouse, warehouse.process))
    ingest = Ingest(store=store)

    async def publish(request: Any) -> Any:
        stored = await ingest([usage_event(event) for event in request.events])
        return PublishUsageResponse(stored=stored)

    bank = Bank(network)
    clock = VirtualClock(loop)
    return Town(
        loop=loop,
        network=network,
        trace=trace,
        settings=settings,
        database=Server(network, METADATA, "database"),
        warehouse=warehouse,
        provider=Provider(network),
        bank=bank,
        buckets=SharedBuckets(MemoryBuckets(clock, KEPT_US), network, clock.now_us),
        lines={
            "analytics": Line(network, Process("analytics"), {"PublishUsage": publish}),
            "auth": roles_line(network),
            "stubs": bank.line(),
        },
    )
