import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from leaky.common.v1.reason_pb2 import REASON_INVALID_ARGUMENT
from leaky.token.v1 import quota_service_pb2
from mesh.errors import AppError
from mesh.rpc.call import Call
from mesh.rpc.method import methods_of
from mesh.telemetry.rpc import observe

UNARY = methods_of(quota_service_pb2.DESCRIPTOR.services_by_name["QuotaService"])[0]
STREAM = replace(UNARY, streams=True, path="/leaky.test.v1.Test/Watch", name="Watch")


def counted(code: str, name: str = UNARY.name) -> float:
    labels = {"grpc_service": UNARY.service, "grpc_method": name, "grpc_code": code}
    calls = REGISTRY.get_sample_value("grpc_server_handled_total", labels) or 0
    timed = REGISTRY.get_sample_value("grpc_server_handling_seconds_count", labels) or 0
    assert calls == timed
    return calls


def answering(answer: Callable[[], Awaitable[Any]]) -> Callable[[Any, Call], Awaitable[Any]]:
    async def proceed(_request: Any, _call: Call) -> Any:
        return await answer()

    return proceed


def raising(error: BaseException) -> Callable[[], Awaitable[Any]]:
    async def answer() -> Any:
        raise error

    return answer


def test_a_call_that_succeeds_counts_as_ok() -> None:
    async def answer() -> str:
        return "done"

    before = counted("OK")
    call = Call(method=UNARY, metadata={})
    assert asyncio.run(observe(None, call, answering(answer))) == "done"
    assert counted("OK") == before + 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AppError(REASON_INVALID_ARGUMENT, "no"), "INVALID_ARGUMENT"),
        (asyncio.CancelledError(), "CANCELLED"),
        (ZeroDivisionError(), "INTERNAL"),
        (TimeoutError(), "DEADLINE_EXCEEDED"),
    ],
)
def test_a_call_that_fails_counts_under_its_code_and_fails_on(
    error: BaseException, code: str
) -> None:
    async def run() -> None:
        with pytest.raises(type(error)):
            await observe(None, Call(method=UNARY, metadata={}), answering(raising(error)))

    before = counted(code)
    asyncio.run(run())
    assert counted(code) == before + 1


async def numbers() -> AsyncIterator[int]:
    yield 1
    yield 2


def test_a_stream_counts_when_it_has_ended() -> None:
    async def run() -> None:
        async def answer() -> AsyncIterator[int]:
            return numbers()

        answers = await observe(None, Call(method=STREAM, metadata={}), answering(answer))
        assert counted("OK", "Watch") == 0
        assert [number async for number in answers] == [1, 2]

    asyncio.run(run())
    assert counted("OK", "Watch") == 1


def test_a_stream_left_early_counts_as_cancelled() -> None:
    async def run() -> None:
        async def answer() -> AsyncIterator[int]:
            return numbers()

        answers = await observe(None, Call(method=STREAM, metadata={}), answering(answer))
        async with aclosing(answers):
            assert await anext(answers) == 1

    asyncio.run(run())
    assert counted("CANCELLED", "Watch") == 1
