"""Counts and times every call that this process serves."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc

from mesh.errors import AppError
from mesh.rpc.call import Call
from mesh.rpc.dispatcher import Handler
from mesh.rpc.streams import closing
from mesh.telemetry.call_log import tell
from mesh.telemetry.metrics import SERVER


async def observe(request: Any, call: Call, proceed: Handler) -> Any:
    """An interceptor that counts every call; put it outside all others.

    A stream is counted when it ends, not when its handler has returned it.
    """
    start = time.perf_counter()
    try:
        answer = await proceed(request, call)
    except BaseException as error:
        _ended(call, code_of(error), start)
        raise
    if call.method.streams:
        return _measured(answer, call, start)
    _ended(call, grpc.StatusCode.OK, start)
    return answer


def _ended(call: Call, code: grpc.StatusCode, start: float) -> None:
    seconds = time.perf_counter() - start
    SERVER.observe(call.method, code, seconds)
    tell(call, code, seconds)


async def _measured(answers: AsyncIterator[Any], call: Call, start: float) -> AsyncIterator[Any]:
    code = grpc.StatusCode.OK
    try:
        async with closing(answers):
            async for answer in answers:
                yield answer
    except BaseException as error:
        code = code_of(error)
        raise
    finally:
        _ended(call, code, start)


def code_of(error: BaseException) -> grpc.StatusCode:
    """The code that an error ends a call with."""
    if isinstance(error, AppError):
        return error.code
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        return grpc.StatusCode.CANCELLED
    if isinstance(error, TimeoutError):
        return grpc.StatusCode.DEADLINE_EXCEEDED
    return grpc.StatusCode.INTERNAL
