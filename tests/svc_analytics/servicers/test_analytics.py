"""The rpcs behind the real chain of checks, on a real store."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from leaky.analytics.v1 import analytics_service_pb2 as pb
from leaky.analytics.v1 import ingest_service_pb2, usage_event_pb2
from mesh.clock import Clock
from mesh.errors import AppError
from mesh.identity.principal import ADMIN, Principal
from mesh.identity.profile import Profile
from mesh.rpc.call import Call
from mesh.rpc.dispatcher import Dispatcher, Handler
from mesh.rpc.interceptors.validation import ValidationInterceptor
from mesh.rpc.local_channel import LocalChannel
from mesh.rpc.method import rpc
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.ports import UsageStore
from svc_analytics.servicers.analytics import AnalyticsServicer
from svc_analytics.servicers.ingest import IngestServicer
from svc_analytics.settings import DAY_SECONDS
from svc_analytics.usecases.get_anomalies import GetAnomalies
from svc_analytics.usecases.get_report import GetReport
from svc_analytics.usecases.get_trends import GetTrends
from svc_analytics.usecases.get_user_usage import GetUserUsage
from svc_analytics.usecases.ingest import Ingest
from svc_analytics.usecases.list_provider_shares import ListProviderShares
from svc_analytics.usecases.list_usage import ListUsage

pytestmark = pytest.mark.anyio
Make = Callable[..., UsageEvent]
ALICE = "aaaaaaaa-0000-4000-8000-000000000000"
BOB = "bbbbbbbb-0000-4000-8000-000000000000"
LIST_USAGE = rpc(pb.ListUsageRequest, pb.ListUsageResponse)
GET_REPORT = rpc(pb.GetReportRequest, pb.GetReportResponse)
GET_ANOMALIES = rpc(pb.GetAnomaliesRequest, pb.GetAnomaliesResponse)
LIST_SHARES = rpc(pb.ListProviderSharesRequest, pb.ListProviderSharesResponse)
GET_USER = rpc(pb.GetUserUsageRequest, pb.GetUserUsageResponse)
GET_TRENDS = rpc(pb.GetTrendsRequest, pb.GetTrendsResponse)
PUBLISH = rpc(ingest_service_pb2.PublishUsageRequest, ingest_service_pb2.PublishUsageResponse)


def service(store: UsageStore, clock: Clock, principal: Principal | None = None) -> LocalChannel:
    """With a principal the service is `secure` and that is who calls."""

    async def sign_in(request: Any, call: Call, proceed: Handler) -> Any:
        if principal is not None:
            call.principal = principal
        return await proceed(request, call)

    dispatcher = Dispatcher([sign_in, ValidationInterceptor()])
    dispatcher.add(IngestServicer(ingest=Ingest(store=store)))
    dispatcher.add(
        AnalyticsServicer(
            profile=Profile.SECURE if principal else Profile.LOCAL,
            clock=clock,
            usage=ListUsage(store=store),
            report=GetReport(store=store, clock=clock),
            anomalies=GetAnomalies(store=store, clock=clock, retention_seconds=DAY_SECONDS),
            shares=ListProviderShares(store=store, clock=clock),
            user_usage=GetUserUsage(store=store, clock=clock),
            trends=GetTrends(store=store, clock=clock),
        )
    )
    return LocalChannel(dispatcher)


def sent(**fields: Any) -> usage_event_pb2.UsageEvent:
    event: dict[str, Any] = {
        "event_id": "00000000-0000-4000-8000-000000000001",
        "user_id": ALICE,
        "provider": "openai",
        "tokens": 5,
        "allowed": True,
        "timestamp": Timestamp(seconds=1_700_000_000, nanos=123_456_789),
        "schema_version": 1,
    }
    return usage_event_pb2.UsageEvent(**(event | fields))


async def publish(channel: LocalChannel, *events: usage_event_pb2.UsageEvent) -> int:
    request = ingest_service_pb2.PublishUsageRequest(events=events)
    return (await channel.unary(PUBLISH, request)).stored


async def test_health_names_the_service(store: UsageStore, clock: Clock) -> None:
    method = rpc(pb.GetHealthRequest, pb.GetHealthResponse)
    health = (await service(store, clock).unary(method, pb.GetHealthRequest())).health
    assert (health.service, health.status) == ("analytics-service", "ok")
    assert health.timestamp.ToJsonString() == "2023-11-14T22:13:20.123456Z"


async def test_a_published_event_is_listed(store: UsageStore, clock: Clock) -> None:
    channel = service(store, clock)
    assert await publish(channel, sent(user_id=ALICE.upper())) == 1
    assert await publish(channel, sent()) == 0
    listed = await channel.unary(LIST_USAGE, pb.ListUsageRequest(provider="openai"))
    assert (listed.provider, listed.count) == ("openai", 1)
    item = listed.items[0]
    assert (item.user_id, item.tokens, item.allowed) == (ALICE, 5, True)
    assert item.key.provider == "openai"
    assert item.key.timestamp.ToJsonString() == "2023-11-14T22:13:20.123456Z"


async def test_what_an_event_holds_is_what_is_stored(store: UsageStore, clock: Clock) -> None:
    await publish(service(store, clock), sent(org_id=BOB, allowed=False, reason="RATE_LIMITED"))
    assert list(await store.newest("openai", limit=9)) == [
        UsageEvent(
            event_id="00000000-0000-4000-8000-000000000001",
            user_id=ALICE,
            org_id=BOB,
            provider="openai",
            tokens=5,
            allowed=False,
            reason="RATE_LIMITED",
            at_us=1_700_000_000_123_456,
        )
    ]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"event_id": "x"}, "events[1].event_id"),
        ({"user_id": ""}, "events[1].user_id"),
        ({"provider": " "}, "events[1].provider"),
        ({"tokens": -1}, "events[1].tokens"),
        ({"allowed": None}, "events[1].allowed"),
        ({"schema_version": 2}, "events[1].schema_version"),
        ({"tokens": 2**63 - 1}, "events[1].tokens"),
        ({"timestamp": None}, "events[1].timestamp"),
        ({"timestamp": Timestamp(seconds=-1)}, "events[1].timestamp"),
        ({"timestamp": Timestamp(seconds=2**63 - 1)}, "events[1].timestamp"),
        ({"reason": "x" * 101}, "events[1].reason"),
    ],
)
async def test_a_bad_event_refuses_the_whole_batch_by_its_index(
    store: UsageStore, clock: Clock, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(AppError) as refused:
        await publish(service(store, clock), sent(), sent(**fields))
    assert [violation.field for violation in refused.value.violations] == [field]
    assert list(await store.newest("openai", limit=9)) == []


async def test_numbers_have_defaults_and_are_clamped(store: UsageStore, clock: Clock) -> None:
    channel = service(store, clock)
    report = await channel.unary(GET_REPORT, pb.GetReportRequest(provider="openai"))
    assert report.sample_limit == 1_000
    length = report.window_end.ToMicroseconds() - report.window_start.ToMicroseconds()
    assert length == 3_600_000_000
    request = pb.GetReportRequest(provider="openai", window_minutes=10**9, limit=0)
    report = await channel.unary(GET_REPORT, request)
    assert report.sample_limit == 1
    length = report.window_end.ToMicroseconds() - report.window_start.ToMicroseconds()
    assert length == 43_200 * 60_000_000


@pytest.mark.parametrize(
    "method_and_request",
    [
        (LIST_USAGE, pb.ListUsageRequest()),
        (GET_REPORT, pb.GetReportRequest()),
        (GET_ANOMALIES, pb.GetAnomaliesRequest()),
        (GET_TRENDS, pb.GetTrendsRequest()),
    ],
)
async def test_a_missing_provider_is_refused(
    store: UsageStore, clock: Clock, method_and_request: tuple[Any, Any]
) -> None:
    with pytest.raises(AppError) as refused:
        await service(store, clock).unary(*method_and_request)
    assert [violation.field for violation in refused.value.violations] == ["provider"]


async def test_a_report_answers_every_field(
    store: UsageStore, clock: Clock, make_event: Make
) -> None:
    await store.append(
        [
            make_event(tokens=5, user_id=ALICE),
            make_event(tokens=10, user_id=ALICE),
            make_event(tokens=9, user_id=BOB, allowed=False),
        ]
    )
    request = pb.GetReportRequest(provider="openai", limit=7)
    report = await service(store, clock).unary(GET_REPORT, request)
    assert (report.total_events, report.allowed_events, report.denied_events) == (3, 2, 1)
    assert (report.total_tokens, report.average_tokens, report.unique_users) == (15, 7.5, 2)
    assert report.sample_limit == 7
    assert [(top.user_id, top.total_tokens, top.events) for top in report.top_users] == [
        (ALICE, 15, 2),
        (BOB, 0, 1),
    ]


async def test_anomalies_leave_the_ratio_out_on_an_empty_baseline(
    store: UsageStore, clock: Clock, make_event: Make
) -> None:
    await store.append([make_event(tokens=8)])
    channel = service(store, clock)
    found = await channel.unary(GET_ANOMALIES, pb.GetAnomaliesRequest(provider="openai"))
    assert not found.HasField("ratio")
    assert not found.anomaly
    assert (found.current_tokens, found.baseline_windows, found.threshold) == (8, 4, 2.0)
    await store.append([make_event(tokens=8, at_us=clock.now_us() - 3_600_000_000)])
    found = await channel.unary(GET_ANOMALIES, pb.GetAnomaliesRequest(provider="openai"))
    assert (found.baseline_average, found.ratio, found.anomaly) == (2.0, 4.0, True)
    assert found.sample_limit == 1_000


async def test_shares_and_user_usage_answer_every_field(
    store: UsageStore, clock: Clock, make_event: Make
) -> None:
    await store.append(
        [
            make_event(provider="qwen", tokens=1, user_id=ALICE),
            make_event(provider="openai", tokens=3, user_id=ALICE),
            make_event(provider="openai", tokens=9, user_id=ALICE, allowed=False),
        ]
    )
    channel = service(store, clock)
    shares = await channel.unary(LIST_SHARES, pb.ListProviderSharesRequest())
    assert [
        (item.provider, item.total_tokens, item.total_events, item.denied_events, item.share)
        for item in shares.items
    ] == [("openai", 3, 2, 1, 0.75), ("qwen", 1, 1, 0, 0.25)]
    user = await channel.unary(GET_USER, pb.GetUserUsageRequest(user_id=ALICE.upper()))
    assert (user.user_id, user.total_tokens, user.total_events, user.denied_events) == (
        ALICE,
        4,
        3,
        1,
    )
    assert user.last_event_at.ToDatetime(UTC) == datetime(
        2023, 11, 14, 22, 13, 20, 123_456, tzinfo=UTC
    )
    assert [(item.provider, item.total_tokens, item.events) for item in user.providers] == [
        ("openai", 3, 2),
        ("qwen", 1, 1),
    ]
    nobody = await channel.unary(GET_USER, pb.GetUserUsageRequest(user_id=BOB))
    assert not nobody.HasField("last_event_at")


async def test_trends_start_with_the_window_and_follow_each_other(
    store: UsageStore, clock: Clock, make_event: Make
) -> None:
    await store.append([make_event(tokens=2), make_event(tokens=9, allowed=False)])
    request = pb.GetTrendsRequest(provider="openai", buckets=4)
    trends = await service(store, clock).unary(GET_TRENDS, request)
    assert trends.bucket_seconds == 900
    starts = [point.start.ToMicroseconds() for point in trends.points]
    first = trends.window_start.ToMicroseconds()
    assert starts == [first + index * 900_000_000 for index in range(4)]
    points = [(point.tokens, point.events, point.denied_events) for point in trends.points]
    assert points == [(0, 0, 0)] * 3 + [(2, 2, 1)]


async def test_in_secure_a_user_sees_its_own_events_and_an_admin_all(
    store: UsageStore, clock: Clock, make_event: Make
) -> None:
    await store.append([make_event(tokens=1, user_id=ALICE), make_event(tokens=2, user_id=BOB)])
    seen = {
        ALICE: Principal(user_id=ALICE, roles=frozenset({"USER"})),
        "all": Principal(user_id="admin", roles=frozenset({ADMIN})),
    }
    for name, principal in seen.items():
        tokens = 1 if name == ALICE else 3
        channel = service(store, clock, principal)
        usage = await channel.unary(LIST_USAGE, pb.ListUsageRequest(provider="openai"))
        assert sum(item.tokens for item in usage.items) == tokens
        report = await channel.unary(GET_REPORT, pb.GetReportRequest(provider="openai"))
        assert report.total_tokens == tokens
        anomalies = await channel.unary(GET_ANOMALIES, pb.GetAnomaliesRequest(provider="openai"))
        assert anomalies.current_tokens == tokens
        trends = await channel.unary(GET_TRENDS, pb.GetTrendsRequest(provider="openai"))
        assert sum(point.tokens for point in trends.points) == tokens
        shares = await channel.unary(LIST_SHARES, pb.ListProviderSharesRequest())
        assert [item.total_tokens for item in shares.items] == [tokens]
