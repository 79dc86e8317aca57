"""Puts the analytics service together: the only file that names concrete classes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from mesh.edge.app import service_app
from mesh.rpc.method import methods_of
from mesh.service import Context, Parts, Service
from svc_analytics.ports import UsageSource, UsageStore
from svc_analytics.servicers.analytics import AnalyticsServicer
from svc_analytics.servicers.audit import AuditServicer
from svc_analytics.servicers.ingest import IngestServicer
from svc_analytics.servicers.usage_message import read_usage
from svc_analytics.settings import AnalyticsSettings
from svc_analytics.stores import SOURCES, STORES
from svc_analytics.usecases.audit_usage import CountUsage, FindUsage, ListEnforcedUsage
from svc_analytics.usecases.expire import Expire
from svc_analytics.usecases.get_anomalies import GetAnomalies
from svc_analytics.usecases.get_report import GetReport
from svc_analytics.usecases.get_trends import GetTrends
from svc_analytics.usecases.get_user_usage import GetUserUsage
from svc_analytics.usecases.ingest import Ingest
from svc_analytics.usecases.list_provider_shares import ListProviderShares
from svc_analytics.usecases.list_usage import ListUsage
from svc_analytics.workers.retention import Retention
from svc_analytics.workers.usage_consumer import UsageConsumer
from svc_analytics.workers.usage_lag import UsageLag


@asynccontextmanager
async def build(ctx: Context[AnalyticsSettings]) -> AsyncIterator[Parts]:
    """The service on its store, which is open for as long as the service is."""
    settings = ctx.settings.current
    usage = settings.analytics.usage
    async with (
        STORES.open(settings.store_url, retention_seconds=settings.analytics.retention) as store,
        SOURCES.open(usage.source, topic=usage.topic, group=usage.group) as source,
    ):
        ready = {"store": store.ping}
        ingest = Ingest(store=store)
        yield Parts(
            servicers=(_analytics(ctx, store), IngestServicer(ingest=ingest), _audit(ctx, store)),
            workers=(
                Retention(
                    expire=Expire(store=store, clock=ctx.clock),
                    retention_seconds=settings.analytics.retention,
                ),
                *_fetching(source, ingest),
            ),
            http={
                settings.analytics.http_port: service_app(
                    title="Leaky Tokens analytics",
                    version=version("leaky-tokens"),
                    methods=methods_of(AnalyticsServicer.SERVICE),
                    channel_for=lambda _method: ctx.local,
                    settings=ctx.settings,
                    ready=ready,
                    clock=ctx.clock,
                    ids=ctx.ids,
                )
            },
            ready=ready,
        )


def _fetching(
    source: UsageSource | None, ingest: Ingest
) -> tuple[Callable[[], Awaitable[None]], ...]:
    """What brings events in; nothing where they are sent over gRPC."""
    if source is None:
        return ()
    return (UsageConsumer(source=source, read=read_usage, ingest=ingest), UsageLag(source=source))


def _audit(ctx: Context[AnalyticsSettings], store: UsageStore) -> AuditServicer:
    retention = ctx.settings.current.analytics.retention
    return AuditServicer(
        find=FindUsage(store=store, clock=ctx.clock, retention_seconds=retention),
        count=CountUsage(store=store),
        list_enforced=ListEnforcedUsage(store=store),
    )


def _analytics(ctx: Context[AnalyticsSettings], store: UsageStore) -> AnalyticsServicer:
    retention = ctx.settings.current.analytics.retention
    return AnalyticsServicer(
        profile=ctx.settings.current.effective_profile,
        clock=ctx.clock,
        usage=ListUsage(store=store),
        report=GetReport(store=store, clock=ctx.clock),
        anomalies=GetAnomalies(store=store, clock=ctx.clock, retention_seconds=retention),
        shares=ListProviderShares(store=store, clock=ctx.clock),
        user_usage=GetUserUsage(store=store, clock=ctx.clock),
        trends=GetTrends(store=store, clock=ctx.clock),
    )


SERVICE = Service(name="analytics", settings=AnalyticsSettings, build=build)
