"""What is said in place of a service that is away."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.routing import Route

from leaky.common.v1.reason_pb2 import REASON_PATH_NOT_FOUND
from mesh.clock import Clock
from mesh.edge.codec.wellknown import rfc3339
from mesh.errors import AppError
from mesh.rpc.method import Method
from svc_gateway.metrics import FALLBACKS
from svc_gateway.routing import service_of

RETRY_AFTER_SECONDS = "1"
EDGE = "gateway"
NAMES = {"auth": "auth-server", "token": "token-service", "analytics": "analytics-service"}
STUBS = ("qwen-stub", "gemini-stub", "openai-stub")


class Fallback:
    """The documented body, for a method's service or by the service's public name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def body(self, name: str) -> dict[str, Any]:
        """{service, status, message, timestamp}."""
        seconds, micros = divmod(self._clock.now_us(), 1_000_000)
        return {
            "service": name,
            "status": "unavailable",
            "message": "Circuit breaker open",
            "timestamp": rfc3339(seconds, micros * 1_000),
        }

    def of(self, method: Method[Any, Any], path: str, error: AppError) -> dict[str, Any] | None:
        """The body for a method that could not be called, at the path it was asked for.

        It names who is away: the method's service, or who had to be asked before.
        None, and so the usual body, when it is the edge that lacks something.
        """
        service = error.away or service_of(method)
        if service == EDGE:
            return None
        FALLBACKS.of(service).inc()
        if service in NAMES:
            return self.body(NAMES[service])
        provider = next((stub for stub in STUBS if f"/{stub.removesuffix('-stub')}/" in path), "")
        return self.body(provider or "stubs")

    def router(self) -> APIRouter:
        """GET and every other method on /fallback/{name}: 503 with the body."""
        # Without `methods` a route takes them all.
        path = "/fallback/{name}"
        return APIRouter(routes=[Route(path, self._answer, methods=(), include_in_schema=False)])

    async def _answer(self, request: Request) -> JSONResponse:
        name = request.path_params["name"]
        if name not in {*NAMES.values(), *STUBS}:
            raise AppError(REASON_PATH_NOT_FOUND, "no such service")
        headers = {"Retry-After": RETRY_AFTER_SECONDS}
        return JSONResponse(self.body(name), status_code=503, headers=headers)
