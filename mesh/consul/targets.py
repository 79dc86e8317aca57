"""Tells Prometheus whom to ask, from Consul: the answers of its HTTP service discovery.

Not every build of Prometheus can ask Consul itself: Debian's cannot. The format is that of
prometheus.io/docs/prometheus/latest/http_sd. An instance whose check fails is told, too: that
it does not answer is what Prometheus is to find out.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mesh.consul.client import FAILURES, told, within
from mesh.discovery.answers import metrics_address

log = structlog.get_logger("targets")
PATH = "/targets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Every instance of these services that Consul knows, asked anew each time."""

    client: Any
    services: Sequence[str]

    def app(self) -> Starlette:
        """Answers at `PATH`; 503 while Consul is away, and then Prometheus keeps what it has."""
        return Starlette(routes=[Route(PATH, self._answer)])

    async def _answer(self, _request: Request) -> Response:
        try:
            found = await self.find()
        # The last two are of answers that are none of Consul's.
        except (*FAILURES, KeyError, TypeError) as error:
            log.warning("Consul did not answer", error=told(error))
            return Response("Consul did not answer\n", 503, media_type="text/plain")
        return Response(orjson.dumps(found), media_type="application/json")

    async def find(self) -> list[dict[str, Any]]:
        """As Prometheus takes them. Raises what is in FAILURES, KeyError and TypeError."""
        asked = (within(self.client.health.service(name)) for name in self.services)
        answers = await asyncio.gather(*asked)
        return [target for _index, nodes in answers for target in _targets(nodes)]


def _targets(nodes: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    for node in nodes:
        service, where = node["Service"], metrics_address(node)
        if where:
            labels = {"service": service["Service"], "instance": service["ID"]}
            yield {"targets": [where], "labels": labels}
