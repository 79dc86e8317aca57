"""What was committed before a topic was renamed is not lost where there are no topics."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.interceptors.errors import map_errors
from mesh.rpc.interceptors.validation import ValidationInterceptor
from mesh.rpc.local_channel import LocalChannel
from svc_analytics.servicers.ingest import IngestServicer
from svc_analytics.stores import STORES
from svc_analytics.usecases.ingest import Ingest
from svc_token.domain.events import PurchaseEvent
from svc_token.ports import RejectedBatchError
from svc_token.stores import SINKS
from tests.full.kafka.carrying import row, stored, tokens_of
from tests.svc_token.conftest import TOPICS

pytestmark = pytest.mark.anyio
PURCHASE = orjson.dumps(
    PurchaseEvent(
        event_id="00000000-0000-4000-8000-0000000000ff",
        type="TOKEN_ALLOCATED",
        saga_id="00000000-0000-4000-8000-0000000000fe",
        user_id="00000000-0000-4000-8000-0000000000fd",
        org_id=None,
        provider="openai",
        tokens=500,
        at_us=1_700_000_000_000_000,
    ).message()
)


async def test_events_of_an_earlier_topic_arrive_and_what_is_none_is_rejected(
    tmp_path: Path,
) -> None:
    async with STORES.open(f"sqlite:///{tmp_path / 'analytics.db'}") as store:
        dispatcher = Dispatcher([map_errors, ValidationInterceptor()])
        dispatcher.add(IngestServicer(ingest=Ingest(store=store)))
        channel = LocalChannel(dispatcher)
        async with SINKS.open("grpc://", analytics=channel, topics=TOPICS) as sink:
            rows = [row(1, topic=TOPICS.usage), row(2, topic="usage-of-old")]
            await sink.publish(rows)
            assert await stored(store) == (2, tokens_of(rows))
            other = replace(row(3, topic="purchases-of-old"), payload=PURCHASE)
            with pytest.raises(RejectedBatchError):
                await sink.publish([other])
            assert await stored(store) == (2, tokens_of(rows))
