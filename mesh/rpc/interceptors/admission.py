"""Sheds load before work starts, so that what is admitted still finishes in time."""

from typing import Any

from leaky.common.v1.reason_pb2 import REASON_OVERLOADED
from leaky.edge.v1.options_pb2 import DEADLINE_NONE
from mesh.errors import AppError
from mesh.rpc.call import Call
from mesh.rpc.dispatcher import Handler
from mesh.settings import Live, MeshSettings
from mesh.telemetry.tally import Counter, Gauge

SHED = Counter("grpc_server_shed_total", "Calls refused because too many were in flight.")
IN_FLIGHT = Gauge("grpc_server_in_flight", "Calls being served.")


class AdmissionInterceptor:
    """Lets at most `mesh.max-in-flight` calls be served at once; watches do not count."""

    def __init__(self, settings: Live[MeshSettings]) -> None:
        self._settings = settings
        self._in_flight = 0

    async def __call__(self, request: Any, call: Call, proceed: Handler) -> Any:
        """Raises OVERLOADED when the service is full."""
        if call.method.deadline == DEADLINE_NONE:
            return await proceed(request, call)
        if self._in_flight >= self._settings.current.mesh.max_in_flight:
            SHED.inc()
            raise AppError(REASON_OVERLOADED, "too many calls in flight", retry_after=1)
        self._in_flight += 1
        IN_FLIGHT.inc()
        try:
            return await proceed(request, call)
        finally:
            self._in_flight -= 1
            IN_FLIGHT.dec()
