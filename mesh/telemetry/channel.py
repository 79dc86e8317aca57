"""Counts and times every attempt of a call that this process makes."""

import time
from collections.abc import AsyncIterator, Mapping

import grpc

from mesh.rpc.channel import Channel
from mesh.rpc.method import Method, Req, Res
from mesh.rpc.streams import closing
from mesh.telemetry.metrics import CLIENT
from mesh.telemetry.rpc import code_of


class MeasuredChannel:
    """A channel as its transport is, counted; below the layer that retries."""

    def __init__(self, inner: Channel) -> None:
        self._inner = inner

    async def unary(
        self,
        method: Method[Req, Res],
        request: Req,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 a deadline that is handed on
        metadata: Mapping[str, str] | None = None,
    ) -> Res:
        """The inner channel's response or error."""
        start = time.perf_counter()
        code = grpc.StatusCode.OK
        try:
            return await self._inner.unary(method, request, timeout=timeout, metadata=metadata)
        except BaseException as error:
            code = code_of(error)
            raise
        finally:
            CLIENT.observe(method, code, time.perf_counter() - start)

    async def stream(
        self,
        method: Method[Req, Res],
        request: Req,
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Res]:
        """The inner channel's responses; counted when they end."""
        start = time.perf_counter()
        code = grpc.StatusCode.OK
        try:
            async with closing(self._inner.stream(method, request, metadata=metadata)) as responses:
                async for response in responses:
                    yield response
        except BaseException as error:
            code = code_of(error)
            raise
        finally:
            CLIENT.observe(method, code, time.perf_counter() - start)

    async def close(self) -> None:
        """Ends the inner channel."""
        await self._inner.close()
