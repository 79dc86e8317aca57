"""Whatever goes wrong leaves as an AppError."""

import asyncio
from typing import Any

import structlog

from leaky.common.v1.reason_pb2 import REASON_INTERNAL, REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.rpc.call import Call
from mesh.rpc.cancelled import asked_for
from mesh.rpc.dispatcher import Handler

log = structlog.get_logger("rpc")


async def map_errors(request: Any, call: Call, proceed: Handler) -> Any:
    """An unexpected exception is logged once, with its trace, and answers without detail."""
    try:
        return await proceed(request, call)
    except AppError:
        raise
    except asyncio.CancelledError as error:
        if asked_for():
            raise
        # What it waited for was: nobody would answer this call, which still has its caller.
        log.exception("cancelled from within", method=call.method.path)
        raise AppError(REASON_UNAVAILABLE, "service unavailable") from error
    except Exception as error:
        log.exception("unexpected error", method=call.method.path)
        raise AppError(REASON_INTERNAL, "internal error") from error
