from typing import Any

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from leaky.provider.v1.chat_service_pb2 import ChatRequest, ChatResponse
from leaky.token.v1.quota_service_pb2 import GetQuotaRequest, GetQuotaResponse
from mesh.clock import SystemClock
from mesh.errors import AppError
from mesh.identity.refusals import unavailable
from mesh.rpc.method import Method, rpc
from svc_gateway.edge.fallback import Fallback

QUOTA = rpc(GetQuotaRequest, GetQuotaResponse)
CHAT = rpc(ChatRequest, ChatResponse)
AWAY = AppError(REASON_UNAVAILABLE, "service unavailable")


def said(method: Method[Any, Any], path: str, error: AppError = AWAY) -> dict[str, Any]:
    return Fallback(SystemClock()).of(method, path, error) or {}


def test_the_service_of_the_method_is_named() -> None:
    body = said(QUOTA, "/api/v1/tokens/quota")
    assert list(body) == ["service", "status", "message", "timestamp"]
    assert (body["service"], body["status"]) == ("token-service", "unavailable")


def test_who_had_to_be_asked_before_is_named_when_it_is_the_one_away() -> None:
    assert said(QUOTA, "/api/v1/tokens/quota", unavailable())["service"] == "auth-server"


def test_no_service_is_named_for_what_the_edge_itself_lacks() -> None:
    lacking = AppError(REASON_UNAVAILABLE, "requests cannot be counted", away="gateway")
    assert said(QUOTA, "/api/v1/tokens/quota", lacking) == {}


def test_a_chat_names_its_providers_double() -> None:
    assert said(CHAT, "/api/v1/gemini/chat")["service"] == "gemini-stub"
