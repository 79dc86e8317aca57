"""A channel to this process's own methods, through its own interceptors."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

from mesh.rpc.call import CURRENT, Call
from mesh.rpc.method import Method, Req, Res

if TYPE_CHECKING:
    from mesh.rpc.dispatcher import Dispatcher


class LocalChannel:
    """Calls handlers directly; what REST on a service's own port goes through."""

    def __init__(self, dispatcher: "Dispatcher") -> None:
        self._dispatcher = dispatcher

    async def unary(
        self,
        method: Method[Req, Res],
        request: Req,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        metadata: Mapping[str, str] | None = None,
    ) -> Res:
        """The handler's response; raises its AppError."""
        call = new_call(method, metadata or {})
        outer = CURRENT.get()
        if outer is not None:
            call.deadline = outer.deadline
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
        call = new_call(method, metadata or {})
        responses = await self._dispatcher.call(request, call)
        async for response in responses:
            yield response

    async def close(self) -> None:
        """Nothing to end."""


def new_call(method: Method[Req, Res], metadata: Mapping[str, str]) -> Call:
    """A call with what its metadata says of correlation and trace."""
    traceparent = metadata.get("traceparent", "")
    return Call(
        method=method,
        metadata=metadata,
        correlation_id=metadata.get("x-correlation-id", ""),
        traceparent=traceparent,
        trace_id=traceparent[3:35],
    )
