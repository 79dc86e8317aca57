from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from leaky.provider.v1.chat_service_pb2 import ChatRequest, ChatResponse
from leaky.token.v1.quota_service_pb2 import GetQuotaRequest, GetQuotaResponse
from mesh.clock import SystemClock
from mesh.errors import AppError
from mesh.identity.refusals import unavailable
from mesh.rpc.method import rpc
from svc_gateway.edge.fallback import Fallback

QUOTA = rpc(GetQuotaRequest, GetQuotaResponse)
CHAT = rpc(ChatRequest, ChatResponse)
AWAY = AppError(REASON_UNAVAILABLE, "service unavailable")


def test_the_service_of_the_method_is_named() -> None:
    body = Fallback(SystemClock()).of(QUOTA, "/api/v1/tokens/quota", AWAY)
    assert list(body) == ["service", "status", "message", "timestamp"]
    assert (body["service"], body["status"]) == ("token-service", "unavailable")


def test_who_had_to_be_asked_before_is_named_when_it_is_the_one_away() -> None:
    body = Fallback(SystemClock()).of(QUOTA, "/api/v1/tokens/quota", unavailable())
    assert body["service"] == "auth-server"


def test_a_chat_names_its_providers_double() -> None:
    body = Fallback(SystemClock()).of(CHAT, "/api/v1/gemini/chat", AWAY)
    assert body["service"] == "gemini-stub"
