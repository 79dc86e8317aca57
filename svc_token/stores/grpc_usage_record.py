"""What svc_analytics has, over gRPC."""

from collections.abc import Mapping, Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from leaky.analytics.v1 import audit_service_pb2 as pb
from leaky.analytics.v1 import usage_event_pb2
from mesh.rpc.channel import Channel
from mesh.rpc.method import rpc
from mesh.rpc.times import timestamp
from svc_token.domain.audit.events import HourKey, HourSum, Sighting
from svc_token.domain.events import UsageEvent

_FIND = rpc(pb.FindUsageRequest, pb.FindUsageResponse)
_COUNT = rpc(pb.CountUsageRequest, pb.CountUsageResponse)
_LIST = rpc(pb.ListEnforcedUsageRequest, pb.ListEnforcedUsageResponse)
# Nobody's call waits for it, and a day may hold millions of events.
COUNT_SECONDS = 60.0
PAGE_SECONDS = 5.0


class GrpcUsageRecord:
    """leaky.analytics.v1.AuditService."""

    def __init__(self, analytics: Channel) -> None:
        self._analytics = analytics

    async def find(self, events: Sequence[UsageEvent]) -> Sighting:
        """What is there of these."""
        request = pb.FindUsageRequest(keys=map(_key, events))
        answer = await self._analytics.unary(_FIND, request, timeout=PAGE_SECONDS)
        return Sighting(
            found={event.event_id: _event(event) for event in answer.events},
            misplaced=frozenset(answer.misplaced_ids),
            kept_since_us=_micros(answer.kept_since),
        )

    async def hours(self, start_us: int, end_us: int) -> Mapping[HourKey, HourSum]:
        """Allowed events of enforced quotas, by provider and hour."""
        request = pb.CountUsageRequest(start=timestamp(start_us), end=timestamp(end_us))
        answer = await self._analytics.unary(_COUNT, request, timeout=COUNT_SECONDS)
        return {
            (one.provider, _micros(one.hour)): HourSum(events=one.events, tokens=one.tokens)
            for one in answer.counts
        }

    async def enforced(
        self, provider: str, start_us: int, end_us: int, *, after_id: str = ""
    ) -> Sequence[UsageEvent]:
        """These events themselves, by time and id."""
        request = pb.ListEnforcedUsageRequest(
            provider=provider,
            start=timestamp(start_us),
            end=timestamp(end_us),
            after_id=after_id,
        )
        answer = await self._analytics.unary(_LIST, request, timeout=PAGE_SECONDS)
        return [_event(event) for event in answer.events]


def _key(event: UsageEvent) -> pb.UsageEventKey:
    return pb.UsageEventKey(
        event_id=event.event_id, provider=event.provider, timestamp=timestamp(event.at_us)
    )


def _event(message: usage_event_pb2.UsageEvent) -> UsageEvent:
    return UsageEvent(
        event_id=message.event_id,
        user_id=message.user_id,
        org_id=message.org_id or None,
        provider=message.provider,
        tokens=message.tokens,
        allowed=message.allowed,
        reason=message.reason,
        at_us=_micros(message.timestamp),
    )


def _micros(stamp: Timestamp) -> int:
    return stamp.ToMicroseconds()
