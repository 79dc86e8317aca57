"""Events straight to svc_analytics, where there is no broker."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from google.protobuf.json_format import Parse, ParseError

from leaky.analytics.v1.ingest_service_pb2 import PublishUsageRequest, PublishUsageResponse
from leaky.analytics.v1.usage_event_pb2 import UsageEvent
from leaky.common.v1.reason_pb2 import REASON_INVALID_ARGUMENT
from mesh.errors import AppError
from mesh.rpc.channel import Channel
from mesh.rpc.method import rpc
from svc_token.domain.events import OutboxRow
from svc_token.ports import RejectedBatchError
from svc_token.stores.topics import Topics

_PUBLISH = rpc(PublishUsageRequest, PublishUsageResponse)


class GrpcSink:
    """Publishes usage events. Purchase events have no receiver here and end."""

    def __init__(self, analytics: Channel, topics: Topics) -> None:
        self._analytics = analytics
        self._topics = topics

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        """Returns when analytics has all of them on disk."""
        usage = [row.payload for row in rows if row.topic == self._topics.usage]
        if not usage:
            return
        try:
            request = PublishUsageRequest(events=[Parse(row, UsageEvent()) for row in usage])
            await self._analytics.unary(_PUBLISH, request)
        except ParseError as error:
            raise RejectedBatchError from error
        except AppError as error:
            if error.reason == REASON_INVALID_ARGUMENT:
                raise RejectedBatchError from error
            raise


@asynccontextmanager
async def open_sink(_url: str, *, analytics: Channel, topics: Topics) -> AsyncIterator[GrpcSink]:
    """The sink for `grpc://`."""
    yield GrpcSink(analytics, topics)
