"""A deadline over two real hops: what is left is what the next one gets."""

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest

from leaky.common.v1.reason_pb2 import REASON_DEADLINE_EXCEEDED, REASON_INTERNAL
from mesh.errors import AppError
from mesh.rpc.call import Call
from mesh.rpc.channel import Channel
from mesh.rpc.deadlines import limit
from mesh.rpc.interceptors.deadline import MARGIN_SECONDS, DeadlineInterceptor
from mesh.rpc.interceptors.errors import map_errors
from mesh.rpc.resilient import ResilientChannel
from mesh.rpc.streams import closing
from mesh.settings import Deadlines, Live, MeshSettings
from tests.mesh.rpc.serving import (
    CONSUME,
    CREDENTIALS,
    GET,
    METHODS,
    STATUS,
    WATCH,
    endless,
    quotas,
    served,
    servicing,
)

pytestmark = pytest.mark.anyio
# What gRPC sends of a time has three digits, rounded up, by a clock that may be behind.
ROUNDED_SECONDS = 0.1
PATIENCE = 20.0


@pytest.fixture
def live(tmp_path: Path) -> Live[MeshSettings]:
    return Live.read(MeshSettings, {"LEAKY_DATA": str(tmp_path)})


def now() -> float:
    return asyncio.get_running_loop().time()


def resilient(inner: Channel, live: Live[MeshSettings]) -> ResilientChannel:
    return ResilientChannel(inner=inner, target="next", settings=live)


async def test_a_nested_call_gets_what_is_left_of_the_outer_one(live: Live[MeshSettings]) -> None:
    live.apply({"deadlines.edge": "60s", "deadlines.mesh": "60s"})
    lefts: list[float] = []
    chain = (map_errors, DeadlineInterceptor(live))

    async def inner(_request: Any, call: Call) -> Any:
        lefts.append(call.deadline - now())
        return GET.response()

    async with served(quotas(get_quota=inner), interceptors=chain) as behind:
        to_behind = resilient(behind.channel, live)

        async def outer(_request: Any, call: Call) -> Any:
            lefts.append(call.deadline - now())
            await to_behind.unary(GET, GET.request())
            return STATUS.response()

        async with served(quotas(get_status=outer), interceptors=chain) as front:
            await front.channel.unary(STATUS, STATUS.request(), timeout=20)
    first, second = lefts
    # More than without any setting, less than with these.
    assert 10 < first <= 20 + ROUNDED_SECONDS - MARGIN_SECONDS
    assert 10 < second <= first + ROUNDED_SECONDS


async def test_a_call_without_a_deadline_gets_the_servers_cap(live: Live[MeshSettings]) -> None:
    lefts: list[float] = []

    async def look(_request: Any, call: Call) -> Any:
        lefts.append(call.deadline - now())
        return STATUS.response()

    async with served(quotas(get_status=look), interceptors=[DeadlineInterceptor(live)]) as up:
        await up.channel.unary(STATUS, STATUS.request())
        await up.channel.unary(STATUS, STATUS.request(), timeout=60)
    assert all(4 < left <= live.current.deadlines.edge for left in lefts)


async def test_a_handler_is_cut_when_its_time_is_up(live: Live[MeshSettings]) -> None:
    cut = asyncio.Event()
    live.apply({"deadlines.edge": "20ms"})

    async def hang(_request: Any, _call: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    chain = (map_errors, DeadlineInterceptor(live))
    async with served(quotas(get_status=hang), interceptors=chain) as up:
        with pytest.raises(AppError) as refused:
            await up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
    assert refused.value.reason == REASON_DEADLINE_EXCEEDED
    assert cut.is_set()


async def test_what_has_expired_does_not_reach_the_handler(live: Live[MeshSettings]) -> None:
    async def never(_request: Any, _call: Call) -> Any:
        pytest.fail("the handler ran")

    for left in (-1.0, 0.0, MARGIN_SECONDS / 2):
        call = Call(method=STATUS, metadata={}, deadline=now() + left)
        with pytest.raises(AppError) as refused:
            await DeadlineInterceptor(live)(STATUS.request(), call, never)
        assert refused.value.reason == REASON_DEADLINE_EXCEEDED


async def test_a_handlers_own_timeout_is_not_the_calls(live: Live[MeshSettings]) -> None:
    async def impatient(_request: Any, _call: Any) -> Any:
        raise TimeoutError("a socket's")

    chain = (map_errors, DeadlineInterceptor(live))
    async with served(quotas(get_status=impatient), interceptors=chain) as up:
        with pytest.raises(AppError) as refused:
            await up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
    assert refused.value.reason == REASON_INTERNAL


async def test_a_watch_has_no_deadline(live: Live[MeshSettings]) -> None:
    live.apply({"deadlines.edge": "0", "deadlines.mesh": "0"})
    lefts: list[float] = []

    async def watch(request: Any, call: Call) -> Any:
        lefts.append(call.deadline)
        return await endless(request, call)

    watches = servicing(CREDENTIALS, watch_revocations=watch)
    async with (
        served(watches, interceptors=[DeadlineInterceptor(live)]) as up,
        closing(resilient(up.channel, live).stream(WATCH, WATCH.request())) as stream,
    ):
        assert (await anext(stream)).subject == "first"
    assert lefts == [math.inf]


def test_each_class_of_method_has_its_setting() -> None:
    deadlines = Deadlines(edge=1, mesh=2, consume=3, purchase=4)
    assert limit(STATUS, deadlines, at_edge=True) == 1
    assert limit(STATUS, deadlines, at_edge=False) == 2
    for at_edge in (True, False):
        assert limit(CONSUME, deadlines, at_edge=at_edge) == 3
        assert limit(METHODS["CreatePurchase"], deadlines, at_edge=at_edge) == 4
        assert limit(WATCH, deadlines, at_edge=at_edge) == math.inf
