"""Calls over one stream an instance, each call where fewest are in flight."""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from functools import partial

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.discovery.instances import Instances
from mesh.errors import AppError
from mesh.rpc.channel import Channel, InstanceLostError
from mesh.rpc.method import Method, Req, Res
from mesh.rpc.mux.link import Link
from mesh.rpc.mux.lost import LostError, TooLongError
from mesh.rpc.mux.session import Session
from mesh.rpc.transport import PLAINTEXT, Transport


class MultiplexedChannel:
    """A faster way beside the `plain` channel to the same instances.

    What it cannot take goes there: streams, calls that are too long for a frame or come
    while no stream is open yet, and all calls while there is an instance that does not
    serve it, which else got none.
    """

    def __init__(
        self,
        plain: Channel,
        instances: Instances,
        *,
        service: str = "",
        transport: Transport = PLAINTEXT,
    ) -> None:
        self._plain = plain
        self._link = partial(Link, service=service, transport=transport)
        self._links: dict[str, Link] = {}
        self._ordered: list[Link] = []
        self._ending: dict[asyncio.Task[None], Link] = {}
        self._turn = 0
        self._closed = False
        instances.on_change(self._follow)
        transport.on_change(self._renew)
        self._follow(instances.current)

    def _follow(self, addresses: tuple[str, ...]) -> None:
        if self._closed:
            return
        for gone in self._links.keys() - set(addresses):
            link = self._links.pop(gone)
            task = asyncio.ensure_future(link.finish())
            self._ending[task] = link
            task.add_done_callback(self._ending.pop)
        for new in set(addresses) - self._links.keys():
            self._links[new] = self._link(new)
        self._ordered = list(self._links.values())

    def _renew(self, retire_seconds: float) -> None:
        for link in self._links.values():
            link.renew(retire_seconds)

    @property
    def streams(self) -> int:
        """On how many calls may be begun."""
        return sum(link.session is not None for link in self._links.values())

    def least(self) -> Session | None:
        """The open session with the fewest calls; those that have equally few take turns.

        One whose window is full comes after all that have room.
        """
        links = self._ordered
        if len(links) <= 1:
            return links[0].session if links and links[0].served else None
        self._turn = (self._turn + 1) % len(links)
        best: Session | None = None
        for link in links[self._turn :] + links[: self._turn]:
            if not link.served:
                return None
            session = link.session
            if session is not None and (best is None or session.rank < best.rank):
                best = session
        return best

    async def unary(
        self,
        method: Method[Req, Res],
        request: Req,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 a deadline that is handed on
        metadata: Mapping[str, str] | None = None,
    ) -> Res:
        """The response of one instance."""
        now = asyncio.get_running_loop().time
        deadline = math.inf if timeout is None else now() + timeout
        while (session := self.least()) is not None:
            try:
                return await session.unary(
                    method, request, deadline=deadline, metadata=metadata or {}
                )
            except TooLongError:
                break
            except LostError as lost:
                if lost.sent:
                    raise self._lost() from None
        left = None if timeout is None else max(0.0, deadline - now())
        return await self._plain.unary(method, request, timeout=left, metadata=metadata)

    def _lost(self) -> AppError:
        if self.least() is not None:
            return InstanceLostError()
        return AppError(REASON_UNAVAILABLE, "service unavailable")

    def stream(
        self,
        method: Method[Req, Res],
        request: Req,
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Res]:
        """The plain channel's: a stream is one already."""
        return self._plain.stream(method, request, metadata=metadata)

    async def close(self) -> None:
        """Ends all streams and the plain channel; calls in flight fail as UNAVAILABLE."""
        self._closed = True
        links = [*self._links.values(), *self._ending.values()]
        self._links, self._ordered = {}, []
        await asyncio.gather(*(link.close() for link in links))
        await asyncio.gather(*self._ending, return_exceptions=True)
        await self._plain.close()
