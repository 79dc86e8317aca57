"""Events on their way out with the traces that they were made in."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from leaky.analytics.v1.ingest_service_pb2 import PublishUsageRequest
from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from svc_token.domain.events import OutboxRow
from svc_token.stores.sink_grpc import GrpcSink
from svc_token.stores.sink_kafka import _record
from svc_token.stores.sink_traced import TracedSink
from tests import traced
from tests.svc_token.conftest import TOPICS
from tests.svc_token.town import Analytics
from tests.traced import FOLLOWED, OUTSIDE, UNFOLLOWED, recording

pytestmark = pytest.mark.anyio
ROW = OutboxRow(seq=1, event_id="e-1", topic=TOPICS.usage, key="user:u", payload=b"{}")
OTHER = FOLLOWED.replace(OUTSIDE, "1" * 16)


@dataclass
class Inner:
    """Where they arrive."""

    rows: list[OutboxRow] = field(default_factory=list)

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        self.rows += rows


def made_in(*traces: str) -> list[OutboxRow]:
    return [replace(ROW, seq=seq, traceparent=trace) for seq, trace in enumerate(traces)]


async def test_what_is_published_for_a_followed_call_is_a_step_of_it() -> None:
    inner = Inner()
    with recording() as seen:
        await TracedSink(inner, "kafka").publish(made_in("", FOLLOWED, OTHER, UNFOLLOWED, FOLLOWED))
        one, two = seen.spans
    assert [traced.parent_of(span) for span in (one, two)] == [OUTSIDE, "1" * 16]
    first, second = (f"00-{traced.TRACE}-{traced.id_of(span)}-01" for span in (one, two))
    assert [row.traceparent for row in inner.rows] == ["", first, second, "", first]
    assert (one.attributes or {})["messaging.system"] == "kafka"
    assert (one.attributes or {})["messaging.batch.message_count"] == 5


async def test_rows_of_unfollowed_calls_go_on_as_they_are() -> None:
    inner, rows = Inner(), made_in("", UNFOLLOWED)
    with recording() as seen:
        await TracedSink(inner, "kafka").publish(rows)
        assert seen.spans == ()
    assert inner.rows == rows
    # As they do, all of them, while nothing is traced here.
    await TracedSink(inner, "kafka").publish(made_in(FOLLOWED))
    assert inner.rows[-1].traceparent == FOLLOWED


async def test_a_sink_that_fails_is_in_the_trace_and_fails() -> None:
    class Failing(Inner):
        async def publish(self, rows: Sequence[OutboxRow]) -> None:
            raise AppError(REASON_UNAVAILABLE, f"hunter2 and {len(rows)}")

    with recording() as seen, pytest.raises(AppError):
        await TracedSink(Failing(), "kafka").publish(made_in(FOLLOWED))
    assert not seen.spans[0].status.is_ok


def test_kafka_has_it_as_a_header_and_nothing_where_there_is_none() -> None:
    followed, plain = (dict(_record(row).headers) for row in made_in(FOLLOWED, ""))
    assert followed["traceparent"] == FOLLOWED.encode()
    assert "traceparent" not in plain


async def test_without_a_broker_each_trace_is_named_once() -> None:
    @dataclass
    class Listening(Analytics):
        requests: list[PublishUsageRequest] = field(default_factory=list)

        async def unary(self, method: Any, request: Any, **_: Any) -> Any:
            self.requests.append(request)
            return await super().unary(method, request)

    analytics = Listening()
    await GrpcSink(analytics, TOPICS).publish(made_in(FOLLOWED, "", OTHER, FOLLOWED))
    (request,) = analytics.requests
    assert list(request.traceparents) == [FOLLOWED, OTHER]
