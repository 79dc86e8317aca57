"""AuditService: what is asked too much of, and what is answered."""

from collections.abc import Callable

import pytest

from leaky.analytics.v1 import audit_service_pb2 as pb
from leaky.common.v1.reason_pb2 import REASON_INVALID_ARGUMENT
from mesh.clock import Clock
from mesh.errors import AppError
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.interceptors.validation import ValidationInterceptor
from mesh.rpc.local_channel import LocalChannel
from mesh.rpc.method import rpc
from mesh.rpc.times import timestamp
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.ports import UsageStore
from svc_analytics.servicers.audit import AuditServicer
from svc_analytics.usecases.audit_usage import CountUsage, FindUsage, ListEnforcedUsage
from tests.svc_analytics.conftest import NOW_US

pytestmark = pytest.mark.anyio
Make = Callable[..., UsageEvent]
FIND = rpc(pb.FindUsageRequest, pb.FindUsageResponse)
COUNT = rpc(pb.CountUsageRequest, pb.CountUsageResponse)
LIST = rpc(pb.ListEnforcedUsageRequest, pb.ListEnforcedUsageResponse)
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


@pytest.fixture
def audit(store: UsageStore, clock: Clock) -> LocalChannel:
    dispatcher = Dispatcher([ValidationInterceptor()])
    dispatcher.add(
        AuditServicer(
            find=FindUsage(store=store, clock=clock, retention_seconds=60),
            count=CountUsage(store=store),
            list_enforced=ListEnforcedUsage(store=store),
        )
    )
    return LocalChannel(dispatcher)


def key(event: UsageEvent, **changes: int) -> pb.UsageEventKey:
    at_us = changes.get("at_us", event.at_us)
    return pb.UsageEventKey(
        event_id=event.event_id, provider=event.provider, timestamp=timestamp(at_us)
    )


async def test_events_are_found_missing_or_misplaced(
    audit: LocalChannel, store: UsageStore, make_event: Make
) -> None:
    here, misplaced, missing = make_event(org_id="o"), make_event(), make_event()
    await store.append([here, misplaced])
    keys = [key(here), key(misplaced, at_us=NOW_US + 1), key(missing)]
    answer = await audit.unary(FIND, pb.FindUsageRequest(keys=keys))
    (found,) = answer.events
    assert (found.event_id, found.org_id, found.tokens) == (here.event_id, "o", 10)
    assert found.timestamp == timestamp(here.at_us)
    assert list(answer.misplaced_ids) == [misplaced.event_id]
    assert answer.kept_since == timestamp(NOW_US - 60_000_000)


async def test_hours_come_by_provider(
    audit: LocalChannel, store: UsageStore, make_event: Make
) -> None:
    await store.append([make_event(tokens=3), make_event(tokens=4)])
    request = pb.CountUsageRequest(start=timestamp(NOW_US - DAY_US), end=timestamp(NOW_US + 1))
    (one,) = (await audit.unary(COUNT, request)).counts
    assert (one.provider, one.events, one.tokens) == ("openai", 2, 7)
    assert one.hour == timestamp(NOW_US - NOW_US % HOUR_US)


@pytest.mark.parametrize(("start", "end"), [(2, 1), (1, 1), (0, 7 * DAY_US + 1)])
async def test_no_more_than_a_week_is_counted_at_once(
    audit: LocalChannel, start: int, end: int
) -> None:
    request = pb.CountUsageRequest(start=timestamp(start), end=timestamp(end))
    with pytest.raises(AppError) as refused:
        await audit.unary(COUNT, request)
    assert refused.value.reason == REASON_INVALID_ARGUMENT


async def test_a_list_lies_within_one_day(audit: LocalChannel) -> None:
    request = pb.ListEnforcedUsageRequest(
        provider="openai", start=timestamp(DAY_US - 1), end=timestamp(DAY_US + 1)
    )
    with pytest.raises(AppError) as refused:
        await audit.unary(LIST, request)
    assert refused.value.reason == REASON_INVALID_ARGUMENT


async def test_too_many_keys_are_refused(audit: LocalChannel, make_event: Make) -> None:
    keys = [key(make_event()) for _ in range(501)]
    with pytest.raises(AppError) as refused:
        await audit.unary(FIND, pb.FindUsageRequest(keys=keys))
    assert refused.value.reason == REASON_INVALID_ARGUMENT
