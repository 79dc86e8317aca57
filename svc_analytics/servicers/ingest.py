"""IngestService."""

from dataclasses import dataclass
from typing import ClassVar

from google.protobuf.descriptor import ServiceDescriptor

from leaky.analytics.v1 import ingest_service_pb2 as pb
from mesh.rpc.call import Call
from svc_analytics.servicers.messages import usage_event
from svc_analytics.usecases.ingest import Ingest


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestServicer:
    """The way in for the token service's outbox."""

    SERVICE: ClassVar[ServiceDescriptor] = pb.DESCRIPTOR.services_by_name["IngestService"]
    ingest: Ingest

    async def publish_usage(
        self, request: pb.PublishUsageRequest, _call: Call
    ) -> pb.PublishUsageResponse:
        """Stores a batch."""
        stored = await self.ingest([usage_event(event) for event in request.events])
        return pb.PublishUsageResponse(stored=stored)
