"""The one interface to another service; nothing above it knows the transport."""

from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Protocol

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.failpoints import failpoint
from mesh.rpc.method import Method, Req, Res

# Passed by each call on its way to another process and back.
CALLING = failpoint("channel.call.before")
CALLED = failpoint("channel.call.after")


class InstanceLostError(AppError):
    """UNAVAILABLE, as an instance went away with the call while others of its service are there.

    It says nothing about the service, and another instance can be tried.
    """

    def __init__(self) -> None:
        super().__init__(REASON_UNAVAILABLE, "service unavailable")


class Channel(Protocol):
    """A way to call methods of one service.

    Every failure is an AppError. `timeout` is in seconds; without one, the
    method's class of deadline counts, and never more than what the call being
    served has left. Metadata keys are lower case.
    """

    def unary(
        self,
        method: Method[Req, Res],
        request: Req,
        *,
        timeout: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Awaitable[Res]:
        """The response, or an AppError."""
        ...

    def stream(
        self,
        method: Method[Req, Res],
        request: Req,
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Res]:
        """The responses as they come; an AppError ends them."""
        ...

    async def close(self) -> None:
        """Ends the connection; calls in flight fail as UNAVAILABLE."""
        ...
