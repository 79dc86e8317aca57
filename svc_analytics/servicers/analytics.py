"""AnalyticsService. Numbers arrive defaulted and clamped by the field rules."""

from dataclasses import dataclass
from typing import ClassVar

from google.protobuf.descriptor import ServiceDescriptor

from leaky.analytics.v1 import analytics_service_pb2 as pb
from leaky.common.v1.health_pb2 import ServiceHealth
from mesh.clock import Clock
from mesh.identity.profile import Profile
from mesh.rpc.call import Call
from mesh.rpc.times import timestamp
from svc_analytics.domain.window import SECOND_US
from svc_analytics.servicers.messages import (
    provider_share,
    top_user,
    trend_point,
    usage_item,
    user_provider,
)
from svc_analytics.servicers.scope import only_user
from svc_analytics.usecases.get_anomalies import GetAnomalies
from svc_analytics.usecases.get_report import GetReport
from svc_analytics.usecases.get_trends import GetTrends
from svc_analytics.usecases.get_user_usage import GetUserUsage
from svc_analytics.usecases.list_provider_shares import ListProviderShares
from svc_analytics.usecases.list_usage import ListUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticsServicer:
    """Reports over what was used."""

    SERVICE: ClassVar[ServiceDescriptor] = pb.DESCRIPTOR.services_by_name["AnalyticsService"]
    profile: Profile
    clock: Clock
    usage: ListUsage
    report: GetReport
    anomalies: GetAnomalies
    shares: ListProviderShares
    user_usage: GetUserUsage
    trends: GetTrends

    async def get_health(self, _request: pb.GetHealthRequest, _call: Call) -> pb.GetHealthResponse:
        """Says that the service answers."""
        now = timestamp(self.clock.now_us())
        health = ServiceHealth(service="analytics-service", status="ok", timestamp=now)
        return pb.GetHealthResponse(health=health)

    async def list_usage(self, request: pb.ListUsageRequest, call: Call) -> pb.ListUsageResponse:
        """The newest events."""
        events = await self.usage(request.provider, limit=request.limit, only_user=self._only(call))
        return pb.ListUsageResponse(
            provider=request.provider,
            count=len(events),
            items=[usage_item(event) for event in events],
        )

    async def get_report(self, request: pb.GetReportRequest, call: Call) -> pb.GetReportResponse:
        """Totals of a window."""
        report = await self.report(
            request.provider, window_minutes=request.window_minutes, only_user=self._only(call)
        )
        totals = report.summary.totals
        return pb.GetReportResponse(
            provider=request.provider,
            window_start=timestamp(report.window.start_us),
            window_end=timestamp(report.window.end_us),
            total_events=totals.events,
            allowed_events=totals.allowed,
            denied_events=totals.denied,
            total_tokens=totals.tokens,
            average_tokens=totals.average_tokens,
            unique_users=report.summary.unique_users,
            sample_limit=request.limit,
            top_users=[top_user(user) for user in report.summary.top_users],
        )

    async def get_anomalies(
        self, request: pb.GetAnomaliesRequest, call: Call
    ) -> pb.GetAnomaliesResponse:
        """A window against its baseline."""
        found = await self.anomalies(
            request.provider,
            window_minutes=request.window_minutes,
            baseline_windows=request.baseline_windows,
            threshold=request.threshold_multiplier,
            only_user=self._only(call),
        )
        return pb.GetAnomaliesResponse(
            provider=request.provider,
            current_window_start=timestamp(found.window.start_us),
            current_window_end=timestamp(found.window.end_us),
            baseline_windows=request.baseline_windows,
            current_tokens=found.comparison.current_tokens,
            baseline_average=found.comparison.baseline_average,
            ratio=found.comparison.ratio,
            threshold=request.threshold_multiplier,
            anomaly=found.comparison.anomaly,
            sample_limit=request.limit,
        )

    async def list_provider_shares(
        self, request: pb.ListProviderSharesRequest, call: Call
    ) -> pb.ListProviderSharesResponse:
        """Every provider's share."""
        found = await self.shares(window_minutes=request.window_minutes, only_user=self._only(call))
        return pb.ListProviderSharesResponse(
            window_start=timestamp(found.window.start_us),
            window_end=timestamp(found.window.end_us),
            items=[
                provider_share(usage, share)
                for usage, share in zip(found.usages, found.shares, strict=True)
            ],
        )

    async def get_user_usage(
        self, request: pb.GetUserUsageRequest, _call: Call
    ) -> pb.GetUserUsageResponse:
        """A user's use; the access rule has seen to it that the caller may ask."""
        found = await self.user_usage(request.user_id, window_minutes=request.window_minutes)
        return pb.GetUserUsageResponse(
            user_id=request.user_id,
            window_start=timestamp(found.window.start_us),
            window_end=timestamp(found.window.end_us),
            total_tokens=found.totals.tokens,
            total_events=found.totals.events,
            denied_events=found.totals.denied,
            last_event_at=None if found.last_us is None else timestamp(found.last_us),
            providers=[user_provider(usage) for usage in found.providers],
        )

    async def get_trends(self, request: pb.GetTrendsRequest, call: Call) -> pb.GetTrendsResponse:
        """A window in buckets."""
        found = await self.trends(
            request.provider,
            window_minutes=request.window_minutes,
            buckets=request.buckets,
            only_user=self._only(call),
        )
        window = found.buckets.window
        return pb.GetTrendsResponse(
            provider=request.provider,
            window_start=timestamp(window.start_us),
            window_end=timestamp(window.end_us),
            bucket_seconds=found.buckets.width_us // SECOND_US,
            points=[
                trend_point(found.buckets.start_us(index), totals)
                for index, totals in enumerate(found.totals)
            ],
        )

    def _only(self, call: Call) -> str | None:
        return only_user(self.profile, call.principal)
