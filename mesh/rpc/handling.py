"""A call as bytes in and out, whatever brought it; parsing happens here, once."""

from typing import Any

import structlog
from google.protobuf.message import DecodeError

from leaky.common.v1.reason_pb2 import REASON_INTERNAL, REASON_INVALID_ARGUMENT
from mesh.errors import AppError
from mesh.failpoints import failpoint
from mesh.rpc.call import Call
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.method import Method

log = structlog.get_logger("rpc")
_RECEIVED = failpoint("rpc.received")
_HANDLED = failpoint("rpc.handled")


async def answer(
    dispatcher: Dispatcher, method: Method[Any, Any], body: bytes, call: Call
) -> bytes:
    """The response to a request, both serialized; whatever goes wrong is an AppError."""
    try:
        _RECEIVED()
        response = await dispatcher.call(parse(method, body), call)
        _HANDLED()
        serialized: bytes = response.SerializeToString()
    except AppError:
        raise
    except Exception as error:
        # Past the interceptors: what the handler returned is no message of ours.
        log.exception("no response", method=method.path)
        raise internal() from error
    return serialized


def internal() -> AppError:
    """What is told of an error that is ours."""
    return AppError(REASON_INTERNAL, "internal error")


def parse(method: Method[Any, Any], body: bytes) -> Any:
    """The request message. Raises AppError INVALID_ARGUMENT."""
    try:
        return method.request.FromString(body)
    except DecodeError as error:
        raise AppError(REASON_INVALID_ARGUMENT, f"not a {method.request.__name__}") from error
