"""A channel to this process's own methods, through its own interceptors."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

from mesh.rpc.call import CLIENT_ADDRESS, CURRENT, Call
from mesh.rpc.method import Method, Req, Res
from mesh.rpc.streams import closing
from mesh.telemetry.tracing.context import ids_of, state_of

if TYPE_CHECKING:
    from mesh.rpc.dispatcher import Dispatcher


class LocalChannel:
    """Calls handlers directly; what REST on a service's own port goes through.

    Such calls are nobody's in particular, or those of the service `caller`.
    """

    def __init__(self, dispatcher: "Dispatcher", *, caller: str = "") -> None:
        self._dispatcher = dispatcher
        self._caller = caller

    def as_service(self, name: str) -> "LocalChannel":
        """A channel to the same methods for calls that are a service's own."""
        return LocalChannel(self._dispatcher, caller=name)

    async def unary(
        self,
        method: Method[Req, Res],
        request: Req,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        metadata: Mapping[str, str] | None = None,
    ) -> Res:
        """The handler's response; raises its AppError."""
        call = self._call(method, metadata or {})
        if timeout is not None:
            call.deadline = min(call.deadline, asyncio.get_running_loop().time() + timeout)
        response: Res = await self._dispatcher.call(request, call)
        return response

    async def stream(
        self,
        method: Method[Req, Res],
        request: Req,
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Res]:
        """The handler's responses."""
        call = self._call(method, metadata or {})
        async with closing(await self._dispatcher.call(request, call)) as responses:
            async for response in responses:
                yield response

    async def close(self) -> None:
        """Nothing to end."""

    def _call(self, method: Method[Req, Res], metadata: Mapping[str, str]) -> Call:
        # What is in this process need not prove itself.
        call = new_call(method, metadata, self._caller, metadata.get(CLIENT_ADDRESS, ""))
        outer = CURRENT.get()
        if outer is not None:
            call.client_address = call.client_address or outer.client_address
            call.deadline = outer.deadline
            call.correlation_id = call.correlation_id or outer.correlation_id
            if not call.traceparent:
                call.traceparent, call.trace_id = outer.traceparent, outer.trace_id
                call.tracestate, call.sampled = outer.tracestate, outer.sampled
        return call


def new_call(
    method: Method[Req, Res], metadata: Mapping[str, str], caller: str, client_address: str
) -> Call:
    """A call with what its metadata says of correlation and trace."""
    call = Call(
        method=method,
        metadata=metadata,
        caller=caller,
        client_address=client_address,
        correlation_id=metadata.get("x-correlation-id", ""),
    )
    given = metadata.get("traceparent")
    ids = ids_of(given) if given else None
    if given and ids:
        call.traceparent, (call.trace_id, _, call.sampled) = given, ids
        if "tracestate" in metadata:
            call.tracestate = state_of(metadata["tracestate"])
    return call
