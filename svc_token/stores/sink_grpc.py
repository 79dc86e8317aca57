"""Events straight to svc_analytics, where there is no broker."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from leaky.analytics.v1.ingest_service_pb2 import PublishUsageRequest, PublishUsageResponse
from leaky.analytics.v1.usage_event_pb2 import UsageEvent
from leaky.common.v1.reason_pb2 import REASON_INVALID_ARGUMENT, REASON_MALFORMED_JSON
from mesh.edge.codec import codec_of
from mesh.errors import AppError
from mesh.rpc.channel import Channel
from mesh.rpc.method import rpc
from svc_token.domain.events import OutboxRow
from svc_token.ports import RejectedBatchError
from svc_token.stores.topics import Topics

_PUBLISH = rpc(PublishUsageRequest, PublishUsageResponse)
_REJECTED = {REASON_INVALID_ARGUMENT, REASON_MALFORMED_JSON}


class GrpcSink:
    """Publishes usage events. Purchase events have no receiver here and end.

    What is of neither topic was committed under another setting, and is no
    less a usage event; if it is none, it is rejected, and not lost.
    """

    def __init__(self, analytics: Channel, topics: Topics) -> None:
        self._analytics = analytics
        self._topics = topics
        self._events = codec_of(UsageEvent)

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        """Returns when analytics has all of them on disk."""
        usage = [row for row in rows if row.topic != self._topics.purchases]
        if not usage:
            return
        try:
            request = PublishUsageRequest(
                events=[self._events.read(row.payload) for row in usage],
                traceparents=dict.fromkeys(row.traceparent for row in usage if row.traceparent),
            )
            await self._analytics.unary(_PUBLISH, request)
        except AppError as error:
            if error.reason in _REJECTED:
                raise RejectedBatchError from error
            raise


@asynccontextmanager
async def open_sink(_url: str, *, analytics: Channel, topics: Topics) -> AsyncIterator[GrpcSink]:
    """The sink for `grpc://`."""
    yield GrpcSink(analytics, topics)
