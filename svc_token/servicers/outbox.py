"""leaky.token.v1.OutboxService."""

from typing import ClassVar

from google.protobuf.descriptor import ServiceDescriptor

from leaky.token.v1 import outbox_service_pb2 as pb
from mesh.rpc.call import Call
from mesh.rpc.times import timestamp
from svc_token.usecases.parked_events import ListParked, RequeueParked


class OutboxServicer:
    """Parked events."""

    SERVICE: ClassVar[ServiceDescriptor] = pb.DESCRIPTOR.services_by_name["OutboxService"]

    def __init__(self, *, list_parked: ListParked, requeue: RequeueParked) -> None:
        self._list, self._requeue = list_parked, requeue

    async def list_parked(
        self, request: pb.ListParkedRequest, _call: Call
    ) -> pb.ListParkedResponse:
        """A page of them."""
        events = [
            pb.ParkedEvent(
                seq=row.seq,
                event_id=row.event_id,
                topic=row.topic,
                key=row.key,
                size=row.size,
                parked_at=timestamp(row.parked_us),
            )
            for row in await self._list(request.limit, request.after_seq)
        ]
        return pb.ListParkedResponse(events=events)

    async def requeue_parked(
        self, request: pb.RequeueParkedRequest, _call: Call
    ) -> pb.RequeueParkedResponse:
        """Puts them back."""
        done = await self._requeue(request.event_ids, everything=request.all)
        return pb.RequeueParkedResponse(event_ids=done)
