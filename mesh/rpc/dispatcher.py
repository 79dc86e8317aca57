"""The way of a call through the interceptors to its handler, whatever brought it."""

import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any, ClassVar, Protocol

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from leaky.common.v1.reason_pb2 import REASON_UNIMPLEMENTED
from leaky.edge.v1.options_pb2 import ACCESS_UNSPECIFIED
from mesh.errors import AppError
from mesh.rpc.call import CURRENT, Call
from mesh.rpc.method import Method, methods_of

Answer = Message | AsyncIterator[Message]
Handler = Callable[[Any, Call], Awaitable[Any]]


class Interceptor(Protocol):
    """What stands around a handler, or only before it: then it need be no coroutine."""

    def __call__(self, request: Any, call: Call, proceed: Handler) -> Awaitable[Any]:
        """The response, of `proceed` or instead of it; raises AppError to refuse."""
        ...


class Servicer(Protocol):
    """A class with one coroutine per rpc: `async def get_quota(self, request, call)`.

    A server-streaming rpc's coroutine returns an async iterator.
    """

    SERVICE: ClassVar[ServiceDescriptor]


class Dispatcher:
    """All methods that a process serves, each behind the same chain."""

    def __init__(self, interceptors: Sequence[Interceptor]) -> None:
        self._interceptors = interceptors
        self._handlers: dict[str, Handler] = {}
        self.methods: dict[str, Method[Any, Any]] = {}

    def add(self, servicer: Servicer) -> None:
        """Serves every rpc of the servicer's service.

        Raises TypeError for an rpc without an access rule or without a handler.
        """
        for method in methods_of(servicer.SERVICE):
            self._add(method, _handler(servicer, method))

    def _add(self, method: Method[Any, Any], handler: Handler) -> None:
        if method.access == ACCESS_UNSPECIFIED:
            message = f"{method.path} has no access rule"
            raise TypeError(message)
        for interceptor in reversed(self._interceptors):
            handler = partial(interceptor, proceed=handler)
        self._handlers[method.path] = handler
        self.methods[method.path] = method

    async def call(self, request: Message, call: Call) -> Any:
        """The response message, or the iterator of a streaming method.

        Raises AppError UNIMPLEMENTED for a method that is not served here.
        """
        handler = self._handlers.get(call.method.path)
        if handler is None:
            raise AppError(REASON_UNIMPLEMENTED, f"{call.method.path} is not served here")
        token = CURRENT.set(call)
        try:
            return await handler(request, call)
        finally:
            CURRENT.reset(token)


def _handler(servicer: Servicer, method: Method[Any, Any]) -> Handler:
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", method.name).lower()
    handler: Handler | None = getattr(servicer, name, None)
    if handler is None or not inspect.iscoroutinefunction(handler):
        message = f"{type(servicer).__name__} has no coroutine {name} for {method.path}"
        raise TypeError(message)
    return handler
