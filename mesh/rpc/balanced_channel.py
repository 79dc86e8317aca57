"""Calls spread over the instances of a service, as many as there are at the time.

gRPC's own round robin picks among connections that are up: a call that had not
been sent when its instance died is picked again, so that only calls in flight
there fail. It cannot be told of other addresses; each set gets a connection
group of its own, and the one before ends with its last call.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.discovery.instances import Instances, target
from mesh.errors import AppError
from mesh.rpc.grpc_channel import GrpcChannel
from mesh.rpc.method import Method, Req, Res
from mesh.rpc.streams import closing

# A call that comes before the first answer waits for it this long at most.
FIRST_ANSWER_SECONDS = 1.0
# Unary calls have ended by their deadlines by then; streams end, and are begun again.
RETIRE_SECONDS = 30.0


class _Group:
    """The connections to one set of instances, and how many calls use them."""

    def __init__(self, addresses: tuple[str, ...]) -> None:
        self.channel = GrpcChannel(target(addresses), several=len(addresses) > 1)
        self.channel.connect()
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def used(self) -> Iterator[GrpcChannel]:
        self._calls += 1
        self._idle.clear()
        try:
            yield self.channel
        finally:
            self._calls -= 1
            if not self._calls:
                self._idle.set()

    async def retire(self) -> None:
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(RETIRE_SECONDS):
                    await self._idle.wait()
        finally:
            await self.channel.close()


class BalancedChannel:
    """A channel to all instances of a service; without any it refuses at once."""

    def __init__(self, instances: Instances) -> None:
        self._instances = instances
        self._group: _Group | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._closed = False
        instances.on_change(self._regroup)
        self._regroup(instances.current)

    def _regroup(self, addresses: tuple[str, ...]) -> None:
        if self._closed:
            return
        before, self._group = self._group, _Group(addresses) if addresses else None
        if before is not None:
            task = asyncio.ensure_future(before.retire())
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def unary(
        self,
        method: Method[Req, Res],
        request: Req,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 a deadline that is handed on
        metadata: Mapping[str, str] | None = None,
    ) -> Res:
        """The response of one instance."""
        timeout = await self._first_answer(timeout)
        with self._some().used() as channel:
            return await channel.unary(method, request, timeout=timeout, metadata=metadata)

    async def stream(
        self,
        method: Method[Req, Res],
        request: Req,
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Res]:
        """The responses of one instance."""
        await self._first_answer(None)
        with self._some().used() as channel:
            async with closing(channel.stream(method, request, metadata=metadata)) as responses:
                async for response in responses:
                    yield response

    async def _first_answer(self, timeout: float | None) -> float | None:  # noqa: ASYNC109
        """What is left of the timeout once it is known who is there."""
        if self._instances.is_known or self._closed:
            return timeout
        loop = asyncio.get_running_loop()
        start = loop.time()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(FIRST_ANSWER_SECONDS, timeout or FIRST_ANSWER_SECONDS)):
                await self._instances.known()
        return None if timeout is None else max(0.0, timeout - (loop.time() - start))

    def _some(self) -> _Group:
        if self._group is None:
            raise AppError(REASON_UNAVAILABLE, "service unavailable", retry_after=1)
        return self._group

    async def close(self) -> None:
        """Ends all connections; calls in flight fail as UNAVAILABLE."""
        self._closed = True
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        if self._group is not None:
            await self._group.channel.close()
