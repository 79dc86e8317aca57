"""A consume, from its REST to the event that analytics is told, as one trace."""

from pathlib import Path

import pytest

from tests import traced
from tests.mesh.edge.test_following import STATUS
from tests.parts.kafka import until
from tests.svc_token.town import SPEND, town
from tests.traced import FOLLOWED, OUTSIDE, TRACE, UNFOLLOWED, recording

pytestmark = pytest.mark.anyio
CONSUME = "leaky.token.v1.ConsumeService/Consume"


async def test_each_step_of_a_consume_is_in_its_trace(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        client = await here.client(traceparent=FOLLOWED)
        with recording() as seen:
            answer = await client.post("/api/v1/tokens/consume", json=SPEND)
            assert answer.status_code == 200

            async def published() -> bool:
                return "publish usage" in seen.names

            await until(published)
        spans = seen.spans
    assert {traced.trace_of(span) for span in spans} == {TRACE}
    known = {traced.id_of(span) for span in spans} | {OUTSIDE}
    assert {traced.parent_of(span) for span in spans} <= known
    request, consume = seen.one("POST /api/v1/tokens/consume"), seen.one(CONSUME)
    chat, publish = seen.one("chat openai"), seen.one("publish usage")
    assert traced.parent_of(request) == OUTSIDE
    assert traced.parent_of(consume) == traced.id_of(request)
    assert traced.parent_of(seen.one("POST")) == traced.id_of(chat)
    # The double goes on with it, as another process would.
    assert traced.parent_of(seen.one("chat")) == traced.id_of(seen.one("POST"))
    held_and_charged = [span for span in spans if span.name == "transact sqlite"]
    inside = {traced.parent_of(span) for span in (*held_and_charged, chat, publish)}
    assert inside == {traced.id_of(consume)}
    assert len(held_and_charged) == 2
    assert all(str(SPEND["prompt"]) not in span.to_json() for span in spans)


async def test_a_consume_that_is_not_followed_makes_no_span_at_all(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        client = await here.client(traceparent=UNFOLLOWED)
        with recording(1.0) as seen:
            for _ in range(3):
                assert (await client.post("/api/v1/tokens/consume", json=SPEND)).status_code == 200
            assert (await client.get(STATUS)).status_code == 200

            async def told() -> bool:
                return len(here.analytics.events) == 3

            await until(told)
            assert [name for name in seen.names if "Consume" in name or "usage" in name] == []
