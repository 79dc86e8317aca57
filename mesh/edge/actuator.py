"""Health, information and metrics, as operators ask for them."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from leaky.common.v1.reason_pb2 import REASON_PERMISSION_DENIED, REASON_UNAUTHENTICATED
from mesh.edge.metrics import CountedRoute
from mesh.errors import AppError
from mesh.identity.profile import Profile
from mesh.settings import Live, MeshSettings

log = structlog.get_logger("health")
Check = Callable[[], Awaitable[None]]
Endpoint = Callable[[Request], Awaitable[Response]]
_CHECK_SECONDS = 2.0


class Actuator:
    """The routes under /actuator, and /metrics.

    In `secure` beyond loopback all but health want the bearer of the setting
    actuator.token; without one set they are closed.
    """

    def __init__(
        self, *, info: Mapping[str, str], ready: Mapping[str, Check], settings: Live[MeshSettings]
    ) -> None:
        self._info = info
        self._ready = ready
        self._settings = settings

    def routes(self) -> list[BaseRoute]:
        """Everything served here."""
        open_to_all = {"health": self.health, "health/readiness": self.health}
        guarded = {"/actuator/info": self.info, "/actuator/prometheus": self.metrics}
        return [
            CountedRoute("/actuator/health/liveness", self.liveness),
            *(
                CountedRoute(f"/actuator/{path}", endpoint)
                for path, endpoint in open_to_all.items()
            ),
            *(CountedRoute(path, self._guarded(endpoint)) for path, endpoint in guarded.items()),
            CountedRoute("/metrics", self._guarded(self.metrics)),
        ]

    async def liveness(self, _request: Request) -> Response:
        """UP as long as the process answers at all."""
        return _json({"status": "UP"})

    async def health(self, _request: Request) -> Response:
        """UP when every check passes within its time; which failed is told, why is logged."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_passes(*named)) for named in self._ready.items()]
        up = [task.result() for task in tasks]
        components = {
            name: {"status": _word(up=passed)} for name, passed in zip(self._ready, up, strict=True)
        }
        body = {"status": _word(up=all(up)), "components": components}
        return _json(body, 200 if all(up) else 503)

    async def info(self, _request: Request) -> Response:
        """The name and version of what runs here."""
        return _json({"app": dict(self._info)})

    async def metrics(self, _request: Request) -> Response:
        """Prometheus' text format."""
        return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            self._check(request.headers.get("authorization", ""))
            return await endpoint(request)

        return guarded

    def _check(self, authorization: str) -> None:
        settings = self._settings.current
        if settings.loopback or settings.effective_profile is not Profile.SECURE:
            return
        token = settings.actuator.token
        if not token:
            raise AppError(REASON_PERMISSION_DENIED, "set actuator.token to open the actuator")
        scheme, _, given = authorization.partition(" ")
        same = hmac.compare_digest(given.strip().encode(), token.encode())
        if scheme.lower() != "bearer" or not same:
            raise AppError(REASON_UNAUTHENTICATED, "the actuator wants its bearer")


async def _passes(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check()
    except Exception as error:  # noqa: BLE001 whatever it is, the part is down
        log.warning("not ready", check=name, error=repr(error))
        return False
    return True


def _word(*, up: bool) -> str:
    return "UP" if up else "DOWN"


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
