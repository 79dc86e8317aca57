"""What a trace has of a provider's call, and what the provider has of the trace."""

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from providers.egress import ProviderCallFailed
from tests import traced
from tests.providers.doubles import PROMPT, Double, calling, says
from tests.traced import recording, step

pytestmark = pytest.mark.anyio
KEY = "sk-hunter2"


async def test_each_try_is_a_step_of_the_call_and_tells_the_provider_its_own() -> None:
    double = Double(says(503), says(200))
    with recording() as seen:
        async with calling(double, provider__retries="2", providers__openai__api_key=KEY) as call:
            with step():
                await call()
        first, second, whole, _ = seen.spans
    assert [span.name for span in seen.spans] == ["POST", "POST", "chat openai", "call"]
    assert first.kind is SpanKind.CLIENT
    statuses = [(span.attributes or {})["http.response.status_code"] for span in (first, second)]
    assert statuses == [503, 200]
    assert traced.parent_of(first) == traced.parent_of(second) == traced.id_of(whole)
    assert (whole.attributes or {})["leaky.outcome"] == "ok"
    told = [request.headers["traceparent"].split("-")[2] for request in double.requests]
    assert told == [traced.id_of(first), traced.id_of(second)]
    for span in seen.spans:
        assert KEY not in span.to_json()
        assert PROMPT not in span.to_json()


async def test_a_failure_is_told_by_its_kind() -> None:
    with recording() as seen, step():
        async with calling(Double(says(400))) as call:
            with pytest.raises(ProviderCallFailed):
                await call()
        whole = seen.one("chat openai")
    assert whole.status.status_code is StatusCode.ERROR
    assert (whole.attributes or {})["leaky.outcome"] == "status"


async def test_a_call_that_is_not_followed_tells_the_provider_nothing() -> None:
    double = Double(says(200))
    with recording() as seen:
        async with calling(double) as call:
            await call()
        assert seen.spans == ()
    assert "traceparent" not in double.requests[0].headers
