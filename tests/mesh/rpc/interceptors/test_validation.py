from typing import Any

import pytest

from leaky.analytics.v1.ingest_service_pb2 import PublishUsageRequest, PublishUsageResponse
from leaky.analytics.v1.usage_event_pb2 import UsageEvent
from leaky.common.v1.reason_pb2 import REASON_INVALID_ARGUMENT
from leaky.token.v1.quota_service_pb2 import GetQuotaRequest, GetQuotaResponse
from mesh.errors import AppError, FieldViolation
from mesh.rpc.call import Call
from mesh.rpc.interceptors.validation import ValidationInterceptor
from mesh.rpc.method import Method, rpc

pytestmark = pytest.mark.anyio
GET = rpc(GetQuotaRequest, GetQuotaResponse)
INGEST = rpc(PublishUsageRequest, PublishUsageResponse)
METHODS: tuple[Method[Any, Any], ...] = (GET, INGEST)
ID = "3F1B2C4D-0000-4000-8000-00000000000A"


async def proceed(request: Any, _call: Call) -> Any:
    return request


async def never(_request: Any, _call: Call) -> Any:
    pytest.fail("the handler ran")


async def test_the_handler_gets_what_the_rules_made_of_the_request() -> None:
    request = GET.request(user_id=ID, provider="openai")
    passed = await ValidationInterceptor()(request, Call(method=GET, metadata={}), proceed)
    assert passed is request
    assert passed.user_id == ID.lower()


async def test_a_refusal_names_every_field_at_fault() -> None:
    with pytest.raises(AppError) as refused:
        await ValidationInterceptor()(GET.request(), Call(method=GET, metadata={}), never)
    assert refused.value.reason == REASON_INVALID_ARGUMENT
    assert refused.value.violations == (
        FieldViolation(field="user_id", message="is required"),
        FieldViolation(field="provider", message="is required"),
    )
    assert refused.value.message == "user_id: is required; provider: is required"


async def test_of_very_many_faults_a_refusal_names_as_many_as_it_can_carry() -> None:
    request = INGEST.request(events=[UsageEvent()] * 500)
    with pytest.raises(AppError) as refused:
        await ValidationInterceptor()(request, Call(method=INGEST, metadata={}), never)
    assert len(refused.value.violations) == 100
    assert refused.value.message.endswith(" more")


async def test_one_interceptor_serves_several_types() -> None:
    interceptor = ValidationInterceptor()
    for _ in range(2):
        for method in METHODS:
            bad = GET.request() if method is GET else INGEST.request(events=[UsageEvent()])
            with pytest.raises(AppError):
                await interceptor(bad, Call(method=method, metadata={}), never)
