"""Calls spread over the instances of a service, as many as there are at the time.

gRPC's own round robin picks among connections that are up: a call that had not
been sent when its instance died is picked again, so that only calls in flight
there fail. It cannot be told of other addresses; each set gets a connection
group of its own, and the one before ends with its last call. So does each
certificate that we show: the one before is used until there is a connection
with the new one, and lasts no longer than it is good for, or than calls in
flight need to end.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.discovery.instances import Instances, target
from mesh.errors import AppError
from mesh.rpc.grpc_channel import GrpcChannel
from mesh.rpc.method import Method, Req, Res
from mesh.rpc.streams import closing
from mesh.rpc.transport import PLAINTEXT, Transport

# A call that comes before the first answer waits for it this long at most.
FIRST_ANSWER_SECONDS = 1.0
# Of connections that are left, where no call's deadline comes later; streams are begun again.
RETIRE_SECONDS = 30.0


class _Group:
    """The connections to one set of instances, and how many calls use them."""

    def __init__(self, addresses: tuple[str, ...], service: str, transport: Transport) -> None:
        self.channel = GrpcChannel(
            target(addresses), several=len(addresses) > 1, service=service, transport=transport
        )
        self.channel.connect()
        self._calls = 0
        self._latest = -math.inf
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def used(self, seconds: float | None = None) -> Iterator[GrpcChannel]:
        """By one call, for so long at most."""
        if seconds is not None and seconds < math.inf:
            self._latest = max(self._latest, asyncio.get_running_loop().time() + seconds)
        self._calls += 1
        self._idle.clear()
        try:
            yield self.channel
        finally:
            self._calls -= 1
            if not self._calls:
                self._idle.set()

    async def retire(self, seconds: float) -> None:
        """Ends with its last call, or once their deadlines and so many seconds have passed."""
        until = max(self._latest, asyncio.get_running_loop().time() + seconds)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._idle.wait()
        finally:
            await self.channel.close()


class BalancedChannel:
    """A channel to all instances of a service; without any it refuses at once."""

    def __init__(
        self, instances: Instances, *, service: str = "", transport: Transport = PLAINTEXT
    ) -> None:
        self._instances = instances
        self._connect = partial(_Group, service=service, transport=transport)
        self._group: _Group | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._retiring: dict[asyncio.Task[None], _Group] = {}
        self._closed = False
        instances.on_change(self._regroup)
        transport.on_change(self._renew)
        self._regroup(instances.current)

    def _regroup(self, addresses: tuple[str, ...]) -> None:
        if not self._closed:
            self._stop_renewing()
            self._use(self._connect(addresses) if addresses else None, RETIRE_SECONDS)

    def _use(self, group: _Group | None, retire_seconds: float) -> None:
        before, self._group = self._group, group
        if before is not None:
            task = asyncio.ensure_future(before.retire(retire_seconds))
            self._retiring[task] = before
            task.add_done_callback(self._retiring.pop)

    def _renew(self, retire_seconds: float) -> None:
        """Moves to connections with another certificate once there is one."""
        if self._closed or self._group is None:
            return
        self._stop_renewing()
        self._renewing = asyncio.ensure_future(self._move(retire_seconds))

    async def _move(self, retire_seconds: float) -> None:
        group = self._connect(self._instances.current)
        try:
            await group.channel.connected()
        except asyncio.CancelledError:
            await group.channel.close()
            raise
        # A renewal may come late: calls have begun while the one before was good.
        self._use(group, max(RETIRE_SECONDS, retire_seconds))

    def _stop_renewing(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()

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
        with self._some().used(timeout) as channel:
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
        patience = FIRST_ANSWER_SECONDS if timeout is None else min(FIRST_ANSWER_SECONDS, timeout)
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._instances.known()
        return None if timeout is None else max(0.0, timeout - (loop.time() - start))

    def _some(self) -> _Group:
        if self._group is None:
            raise AppError(REASON_UNAVAILABLE, "service unavailable", retry_after=1)
        return self._group

    async def close(self) -> None:
        """Ends all connections; calls in flight fail as UNAVAILABLE."""
        self._closed = True
        # Not by their tasks alone: one that is cancelled before it has begun closes nothing.
        groups = list(self._retiring.values())
        tasks = [*self._retiring, *([self._renewing] if self._renewing else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._group is not None:
            groups.append(self._group)
        await asyncio.gather(*(group.channel.close() for group in groups))
