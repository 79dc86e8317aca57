"""Events that come without a broker, and the traces that they were made in."""

from collections.abc import Sequence
from typing import Any

import pytest

from leaky.analytics.v1.ingest_service_pb2 import PublishUsageRequest
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.servicers.ingest import IngestServicer
from svc_analytics.usecases.ingest import Ingest
from tests import traced
from tests.traced import FOLLOWED, OUTSIDE, UNFOLLOWED, recording

pytestmark = pytest.mark.anyio


class Store:
    """Takes all; no more of it is asked for."""

    async def append(self, events: Sequence[UsageEvent]) -> int:
        return len(events)


async def test_a_batch_links_to_the_traces_that_the_request_names() -> None:
    store: Any = Store()
    servicer, call = IngestServicer(ingest=Ingest(store=store)), None
    with recording() as seen:
        named = PublishUsageRequest(traceparents=[FOLLOWED, UNFOLLOWED, "garbage"])
        for request in (named, PublishUsageRequest()):
            await servicer.publish_usage(request, call)  # type: ignore[arg-type] # it is not read
        (span,) = seen.spans
    assert (span.name, span.parent) == ("process usage", None)
    assert traced.links_of(span) == [OUTSIDE]
