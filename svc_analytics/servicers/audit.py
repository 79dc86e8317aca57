"""AuditService."""

from dataclasses import dataclass
from typing import ClassVar

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

from leaky.analytics.v1 import audit_service_pb2 as pb
from mesh.rpc.call import Call
from mesh.rpc.times import timestamp
from svc_analytics.domain.audit import EventKey
from svc_analytics.domain.window import MINUTE_US, Window
from svc_analytics.servicers.messages import micros, usage_message
from svc_analytics.usecases.audit_usage import CountUsage, FindUsage, ListEnforcedUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditServicer:
    """What the token service may ask of the events that came."""

    SERVICE: ClassVar[ServiceDescriptor] = pb.DESCRIPTOR.services_by_name["AuditService"]
    find: FindUsage
    count: CountUsage
    list_enforced: ListEnforcedUsage

    async def find_usage(self, request: pb.FindUsageRequest, _call: Call) -> pb.FindUsageResponse:
        """Events by their keys."""
        sighting = await self.find([_key(key) for key in request.keys])
        return pb.FindUsageResponse(
            events=map(usage_message, sighting.events),
            misplaced_ids=sighting.misplaced,
            kept_since=timestamp(sighting.kept_since_us),
        )

    async def count_usage(
        self, request: pb.CountUsageRequest, _call: Call
    ) -> pb.CountUsageResponse:
        """Hours."""
        counts = [
            pb.UsageCount(
                provider=one.provider,
                hour=timestamp(one.hour * 60 * MINUTE_US),
                events=one.events,
                tokens=one.tokens,
            )
            for one in await self.count(_window(request.start, request.end))
        ]
        return pb.CountUsageResponse(counts=counts)

    async def list_enforced_usage(
        self, request: pb.ListEnforcedUsageRequest, _call: Call
    ) -> pb.ListEnforcedUsageResponse:
        """A page of events."""
        window = _window(request.start, request.end)
        events = await self.list_enforced(request.provider, window, request.after_id)
        return pb.ListEnforcedUsageResponse(events=map(usage_message, events))


def _key(key: pb.UsageEventKey) -> EventKey:
    return EventKey(event_id=key.event_id, provider=key.provider, at_us=micros(key.timestamp))


def _window(start: Timestamp, end: Timestamp) -> Window:
    return Window(start_us=micros(start), end_us=micros(end))
