import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from leaky.auth.v1.credential_service_pb2 import WatchRevocationsResponse
from leaky.common.v1.reason_pb2 import REASON_QUOTA_NOT_FOUND, REASON_UNIMPLEMENTED
from mesh.errors import AppError
from mesh.rpc.call import CURRENT, Call
from mesh.rpc.dispatcher import Dispatcher, Servicer
from mesh.rpc.local_channel import LocalChannel
from mesh.rpc.streams import closing
from tests.mesh.rpc.serving import CREDENTIALS, EXCHANGE, GET, STATUS, WATCH, quotas, servicing

pytestmark = pytest.mark.anyio


def local(*servicers: Servicer) -> LocalChannel:
    dispatcher = Dispatcher([])
    for servicer in servicers:
        dispatcher.add(servicer)
    return LocalChannel(dispatcher)


class Looking:
    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def __call__(self, _request: Any, call: Call) -> Any:
        self.calls.append(call)
        return call.method.response()


async def test_a_handlers_answer_and_its_error_come_back_as_they_are() -> None:
    error = AppError(REASON_QUOTA_NOT_FOUND, "quota not found")

    async def refuse(_request: Any, _call: Call) -> Any:
        raise error

    channel = local(quotas(get_quota=refuse))
    assert await channel.unary(STATUS, STATUS.request()) == STATUS.response()
    with pytest.raises(AppError) as caught:
        await channel.unary(GET, GET.request())
    assert caught.value is error


async def test_what_is_not_served_here_is_an_error_of_ours() -> None:
    with pytest.raises(AppError) as caught:
        await local(quotas()).unary(EXCHANGE, EXCHANGE.request())
    assert caught.value.reason == REASON_UNIMPLEMENTED


async def test_a_timeout_and_the_metadata_reach_the_call() -> None:
    looking = Looking()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    metadata = {"traceparent": trace, "x-correlation-id": "c"}
    channel = local(quotas(get_status=looking))
    before = asyncio.get_running_loop().time()
    await channel.unary(STATUS, STATUS.request(), timeout=3, metadata=metadata)
    [call] = looking.calls
    assert 3 <= call.deadline - before < 4
    assert (call.correlation_id, call.trace_id) == ("c", "0af7651916cd43dd8448eb211c80319c")


async def test_only_what_is_a_services_own_is_called_as_that_service() -> None:
    looking = Looking()
    channel = local(quotas(get_status=looking))
    own = channel.as_service("auth")
    await own.unary(STATUS, STATUS.request())
    await channel.unary(STATUS, STATUS.request(), metadata={"x-leaky-service": "auth"})
    # Not what a call of its own sets off: REST within it is still anybody's.
    token = CURRENT.set(looking.calls[0])
    await channel.unary(STATUS, STATUS.request())
    CURRENT.reset(token)
    assert [call.caller for call in looking.calls] == ["auth", "", ""]


async def test_within_another_call_its_deadline_and_trace_go_on() -> None:
    looking = Looking()
    channel = local(quotas(get_status=looking))
    deadline = asyncio.get_running_loop().time() + 9
    outer = Call(
        method=GET, metadata={}, deadline=deadline, correlation_id="c", traceparent="00-t-s-01"
    )
    token = CURRENT.set(outer)
    await channel.unary(STATUS, STATUS.request())
    await channel.unary(STATUS, STATUS.request(), timeout=60)
    await channel.unary(STATUS, STATUS.request(), metadata={"x-correlation-id": "own"})
    CURRENT.reset(token)
    assert [call.deadline for call in looking.calls] == [deadline] * 3
    assert [call.correlation_id for call in looking.calls] == ["c", "c", "own"]
    assert {call.traceparent for call in looking.calls} == {"00-t-s-01"}


async def test_a_stream_that_is_left_is_closed_at_once() -> None:
    ended: list[str] = []

    async def watch(_request: Any, _call: Call) -> Any:
        async def messages() -> AsyncIterator[Any]:
            try:
                yield WatchRevocationsResponse(subject="1")
                yield WatchRevocationsResponse(subject="2")
            finally:
                ended.append("closed")

        return messages()

    channel = local(servicing(CREDENTIALS, watch_revocations=watch))
    async with closing(channel.stream(WATCH, WATCH.request())) as stream:
        assert (await anext(stream)).subject == "1"
        assert ended == []
    assert ended == ["closed"]
    both = [message.subject async for message in channel.stream(WATCH, WATCH.request())]
    assert both == ["1", "2"]
