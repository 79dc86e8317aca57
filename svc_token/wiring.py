"""Puts svc_token together; the only file that names concrete classes."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from mesh.edge.app import service_app
from mesh.finisher import Finisher
from mesh.rpc.dispatcher import Servicer
from mesh.rpc.method import Method, methods_of
from mesh.service import Context, Parts, Service
from providers.egress import Providers
from svc_token.limits import LiveLimits
from svc_token.metrics import declare
from svc_token.ports import Buckets, EventSink
from svc_token.servicers.consume import ConsumeServicer
from svc_token.servicers.member_caps import MemberCapServicer
from svc_token.servicers.metering import MeteringServicer
from svc_token.servicers.outbox import OutboxServicer
from svc_token.servicers.purchase import PurchaseServicer
from svc_token.servicers.quota import QuotaServicer
from svc_token.servicers.reconcile import ReconcileServicer
from svc_token.settings import TokenSettings
from svc_token.stores import BUCKETS, SINKS, TOKEN_STORES
from svc_token.stores.denied_queue import DeniedQueue
from svc_token.stores.grpc_payments import GrpcPayments
from svc_token.stores.grpc_roles import GrpcRoles
from svc_token.stores.grpc_usage_record import GrpcUsageRecord
from svc_token.stores.sink_traced import TracedSink
from svc_token.stores.stores import TokenStores
from svc_token.stores.topics import Topics
from svc_token.usecases.advance_purchase import AdvancePurchase
from svc_token.usecases.ask_bucket import AskBucket
from svc_token.usecases.consume import Consume
from svc_token.usecases.end_later import EndLater
from svc_token.usecases.expire_orphans import BATCH as ORPHANS
from svc_token.usecases.expire_orphans import ExpireOrphans
from svc_token.usecases.forget_answers import ForgetAnswers
from svc_token.usecases.hold_shards import HoldShards
from svc_token.usecases.hold_tokens import HoldTokens
from svc_token.usecases.member_caps import MemberCaps
from svc_token.usecases.once import Once
from svc_token.usecases.owner_roles import OwnerRoles
from svc_token.usecases.parked_events import ListParked, RequeueParked
from svc_token.usecases.providers import GetProviderQuota
from svc_token.usecases.purchases import CreatePurchase, GetPurchase
from svc_token.usecases.quotas import CreateOrgQuota, GetOrgQuota, GetQuota, UpdateOrgQuota
from svc_token.usecases.rate_limits import GetRateLimit
from svc_token.usecases.reconcile.events import CompareEvents
from svc_token.usecases.reconcile.members import CompareMembers
from svc_token.usecases.reconcile.outbox import CompareOutbox
from svc_token.usecases.reconcile.payments import ComparePayments
from svc_token.usecases.reconcile.pools import ComparePools
from svc_token.usecases.reconcile.purchases import ComparePurchases
from svc_token.usecases.reconcile.reconcile import Reconcile
from svc_token.usecases.reconcile.reservations import CompareReservations
from svc_token.usecases.relay_outbox import RelayOutbox
from svc_token.usecases.reservations import BeginReservation, EndReservation, FindReservation
from svc_token.usecases.reserve import ReserveTokens
from svc_token.usecases.tell_later import TellLater
from svc_token.workers.loops import Loop
from svc_token.workers.outbox_lag import OutboxLag
from svc_token.workers.outbox_relay import OutboxRelay
from svc_token.workers.pool_survey import PoolSurveyor
from svc_token.workers.saga_runner import SagaRunner
from svc_token.workers.saga_worker import SagaWorker

VERSION = version("leaky-tokens")
RELAY_PAUSE_SECONDS = 0.25
SWEEP_PAUSE_SECONDS = 5.0
LAG_PAUSE_SECONDS = 5.0
SURVEY_PAUSE_SECONDS = 30.0
FORGET_PAUSE_SECONDS = 60.0


@asynccontextmanager
async def build(context: Context[TokenSettings]) -> AsyncIterator[Parts]:
    """The service's parts over the stores that the settings name."""
    settings = context.settings.current
    declare(settings.providers)
    context.settings.on_change(lambda changed: declare(changed.providers))
    topics = Topics(usage=settings.token.usage.topic, purchases=settings.token.saga.topic)
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(
            TOKEN_STORES.open(settings.store_url, topics=topics)
        )
        buckets = await stack.enter_async_context(
            BUCKETS.open(
                settings.token.bucket.store,
                clock=context.clock,
                ttl_us=int(settings.token.bucket.entry_ttl * 1_000_000),
            )
        )
        analytics = context.channel("analytics")
        inner = await stack.enter_async_context(
            SINKS.open(settings.token.usage.sink, analytics=analytics, topics=topics)
        )
        sink = TracedSink(inner, urlsplit(settings.token.usage.sink).scheme)
        providers = Providers(lambda: context.settings.current, clock=context.clock)
        stack.push_async_callback(providers.close)
        finisher = await stack.enter_async_context(Finisher().closing())
        limits = LiveLimits(context.settings)
        yield _House(
            context=context,
            stores=stores,
            buckets=buckets,
            sink=sink,
            denied=DeniedQueue(sink, topics),
            providers=providers,
            finisher=finisher,
            limits=limits,
            roles=GrpcRoles(context.channel("auth"), context.clock),
            once=Once(
                keys=stores.keys,
                limits=limits,
                clock=context.clock,
                ids=context.ids,
                finisher=finisher,
            ),
            end_later=EndLater(ledger=stores.ledger, finisher=finisher),
            tell_later=TellLater(ledger=stores.ledger, clock=context.clock, finisher=finisher),
        ).parts()


@dataclass(frozen=True, slots=True, kw_only=True)
class _House:
    """The pieces that use cases are made of."""

    context: Context[TokenSettings]
    stores: TokenStores
    buckets: Buckets
    sink: EventSink
    denied: DeniedQueue
    providers: Providers
    finisher: Finisher
    limits: LiveLimits
    roles: GrpcRoles
    once: Once
    end_later: EndLater
    tell_later: TellLater

    def parts(self) -> Parts:
        """Servicers over use cases, the loops beside them, and REST over the servicers."""
        runner = self._saga_runner()
        sagas = SagaWorker(runner=runner, pause=lambda: self._saga_pause(runner))
        servicers: tuple[Servicer, ...] = (
            self._quota(),
            self._consume(),
            self._metering(),
            self._member_caps(),
            self._purchase(sagas, runner.holder),
            self._outbox(),
            self._reconcile(),
        )
        port = self.context.settings.current.token.http_port
        return Parts(
            servicers=servicers,
            workers=(sagas, self._relay(), *(loop.run for loop in self._loops())),
            http={port: self._http(servicers)},
            ready={"store": self.stores.ping},
        )

    @property
    def _owner_roles(self) -> OwnerRoles:
        return OwnerRoles(roles=self.roles)

    def _quota(self) -> QuotaServicer:
        pools, limits, clock = self.stores.pools, self.limits, self.context.clock
        return QuotaServicer(
            get=GetQuota(pools=pools, limits=limits, owner_roles=self._owner_roles, clock=clock),
            get_org=GetOrgQuota(pools=pools, limits=limits, clock=clock),
            create_org=CreateOrgQuota(pools=pools, limits=limits, clock=clock, once=self.once),
            update_org=UpdateOrgQuota(pools=pools, limits=limits, clock=clock),
            clock=clock,
            version=VERSION,
        )

    @property
    def _ask_bucket(self) -> AskBucket:
        return AskBucket(buckets=self.buckets, limits=self.limits, clock=self.context.clock)

    @property
    def _hold_tokens(self) -> HoldTokens:
        return HoldTokens(
            ledger=self.stores.ledger,
            limits=self.limits,
            clock=self.context.clock,
            ids=self.context.ids,
            end_later=self.end_later,
            tell_later=self.tell_later,
        )

    @property
    def _reserve(self) -> ReserveTokens:
        return ReserveTokens(
            ask_bucket=self._ask_bucket,
            hold_tokens=self._hold_tokens,
            denied=self.denied,
            limits=self.limits,
            owner_roles=self._owner_roles,
            clock=self.context.clock,
            ids=self.context.ids,
        )

    def _metering(self) -> MeteringServicer:
        pools, limits, finisher = self.stores.pools, self.limits, self.finisher
        find = FindReservation(pools=pools, visibility=self.context.identity)
        return MeteringServicer(
            begin=BeginReservation(
                reserve=self._reserve, pools=pools, limits=limits, finisher=finisher
            ),
            find=find,
            end=EndReservation(
                find=find,
                hold_tokens=self._hold_tokens,
                ask_bucket=self._ask_bucket,
                owner_roles=self._owner_roles,
                limits=limits,
                finisher=finisher,
            ),
        )

    def _member_caps(self) -> MemberCapServicer:
        caps = MemberCaps(caps=self.stores.caps, limits=self.limits, clock=self.context.clock)
        return MemberCapServicer(caps)

    def _consume(self) -> ConsumeServicer:
        consume = Consume(
            reserve=self._reserve,
            hold_tokens=self._hold_tokens,
            providers=self.providers,
            limits=self.limits,
            clock=self.context.clock,
            ids=self.context.ids,
            finisher=self.finisher,
            once=self.once,
        )
        get_rate_limit = GetRateLimit(
            buckets=self.buckets, limits=self.limits, owner_roles=self._owner_roles
        )
        return ConsumeServicer(
            consume=consume,
            get_rate_limit=get_rate_limit,
            get_provider_quota=GetProviderQuota(limits=self.limits),
        )

    def _purchase(self, sagas: SagaWorker, holder: str) -> PurchaseServicer:
        create = CreatePurchase(
            sagas=self.stores.sagas,
            limits=self.limits,
            clock=self.context.clock,
            ids=self.context.ids,
            wake=sagas.wake,
            holder=holder,
        )
        get = GetPurchase(sagas=self.stores.sagas, visibility=self.context.identity)
        return PurchaseServicer(create=create, get=get)

    def _reconcile(self) -> ReconcileServicer:
        audit, clock = self.stores.audit, self.context.clock
        payments = GrpcPayments(self.context.channel("stubs"))
        usage = GrpcUsageRecord(self.context.channel("analytics"))
        comparisons = (
            CompareReservations(audit=audit, limits=self.limits, clock=clock),
            ComparePools(audit=audit),
            ComparePurchases(audit=audit),
            CompareMembers(audit=audit),
            CompareOutbox(audit=audit),
            CompareEvents(audit=audit, usage=usage, clock=clock),
            ComparePayments(audit=audit, payments=payments, clock=clock),
        )
        return ReconcileServicer(
            reconcile=Reconcile(comparisons=comparisons, ledger=self.stores.ledger)
        )

    def _saga_runner(self) -> SagaRunner:
        advance = AdvancePurchase(
            sagas=self.stores.sagas,
            payments=GrpcPayments(self.context.channel("stubs")),
            roles=self.roles,
            limits=self.limits,
            clock=self.context.clock,
            ids=self.context.ids,
        )
        return SagaRunner(
            sagas=self.stores.sagas,
            advance=advance,
            limits=self.limits,
            clock=self.context.clock,
            holder=self.context.ids.new(),
        )

    def _saga_pause(self, runner: SagaRunner) -> float:
        # New purchases wake the runner; this is for those that another process left.
        longest = self.context.settings.current.token.saga.recovery_interval
        return min(longest, runner.idle_seconds())

    def _outbox(self) -> OutboxServicer:
        outbox = self.stores.outbox
        return OutboxServicer(
            list_parked=ListParked(outbox=outbox), requeue=RequeueParked(outbox=outbox)
        )

    def _relay(self) -> OutboxRelay:
        clock = self.context.clock
        hold = HoldShards(leases=self.stores.leases, clock=clock, holder=self.context.ids.new())
        relay = RelayOutbox(outbox=self.stores.outbox, sink=self.sink, hold=hold, clock=clock)
        return OutboxRelay(relay=relay, hold=hold, pause=RELAY_PAUSE_SECONDS)

    def _loops(self) -> tuple[Loop, ...]:
        measure = OutboxLag(outbox=self.stores.outbox, clock=self.context.clock)
        expire = ExpireOrphans(
            pools=self.stores.pools,
            ledger=self.stores.ledger,
            limits=self.limits,
            clock=self.context.clock,
        )
        survey = PoolSurveyor(
            surveys=self.stores.surveys,
            limits=self.limits,
            clock=self.context.clock,
            low_fraction=lambda: self.context.settings.current.token.quota.low_fraction,
        )
        forget = ForgetAnswers(keys=self.stores.keys, limits=self.limits, clock=self.context.clock)

        async def expire_round() -> bool:
            return await expire() == ORPHANS

        return (
            Loop(name="denied events", work=self.denied.flush, pause=lambda: RELAY_PAUSE_SECONDS),
            Loop(name="sweeper", work=expire_round, pause=lambda: SWEEP_PAUSE_SECONDS),
            Loop(name="outbox lag", work=measure, pause=lambda: LAG_PAUSE_SECONDS),
            Loop(name="pool survey", work=survey, pause=lambda: SURVEY_PAUSE_SECONDS),
            Loop(name="kept answers", work=forget, pause=lambda: FORGET_PAUSE_SECONDS),
        )

    def _http(self, servicers: tuple[Servicer, ...]) -> ASGIApp:
        methods: list[Method[Any, Any]] = [
            method for servicer in servicers for method in methods_of(servicer.SERVICE)
        ]
        return service_app(
            title="token-service",
            version=VERSION,
            methods=methods,
            channel_for=lambda _method: self.context.local,
            settings=self.context.settings,
            ready={"store": self.stores.ping},
        )


SERVICE: Service[TokenSettings] = Service(name="token", settings=TokenSettings, build=build)
