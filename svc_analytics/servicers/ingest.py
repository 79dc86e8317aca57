"""IngestService."""

from dataclasses import dataclass
from typing import ClassVar

from google.protobuf.descriptor import ServiceDescriptor

from leaky.analytics.v1 import ingest_service_pb2 as pb
from mesh.rpc.call import Call
from mesh.telemetry.tracing.links import taking
from svc_analytics.servicers.messages import usage_event
from svc_analytics.usecases.ingest import Ingest

_FROM_TOKEN = {"messaging.system": "grpc", "messaging.operation.type": "process"}


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestServicer:
    """The way in for the token service's outbox."""

    SERVICE: ClassVar[ServiceDescriptor] = pb.DESCRIPTOR.services_by_name["IngestService"]
    ingest: Ingest

    async def publish_usage(
        self, request: pb.PublishUsageRequest, _call: Call
    ) -> pb.PublishUsageResponse:
        """Stores a batch."""
        with taking("process usage", _FROM_TOKEN, request.traceparents):
            stored = await self.ingest([usage_event(event) for event in request.events])
        return pb.PublishUsageResponse(stored=stored)
