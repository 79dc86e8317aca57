import asyncio
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from leaky.common.v1.reason_pb2 import REASON_OVERLOADED
from mesh.errors import AppError
from mesh.rpc.interceptors.admission import AdmissionInterceptor
from mesh.rpc.streams import closing
from mesh.settings import Live, MeshSettings
from tests.mesh.rpc.serving import (
    CREDENTIALS,
    STATUS,
    WATCH,
    endless,
    quotas,
    served,
    servicing,
)

pytestmark = pytest.mark.anyio
PATIENCE = 20.0


@pytest.fixture
def live(tmp_path: Path) -> Live[MeshSettings]:
    found = Live.read(MeshSettings, {"LEAKY_DATA": str(tmp_path)})
    found.apply({"mesh.max-in-flight": "2"})
    return found


class Held:
    """A handler that holds its calls until it is let go."""

    def __init__(self) -> None:
        self.begun, self.ended = asyncio.Semaphore(0), asyncio.Semaphore(0)
        self.let_go = asyncio.Event()

    async def __call__(self, _request: Any, _call: Any) -> Any:
        self.begun.release()
        try:
            await self.let_go.wait()
        finally:
            self.ended.release()
        return STATUS.response()


async def test_what_is_too_much_is_shed_and_the_rest_finishes(live: Live[MeshSettings]) -> None:
    held = Held()
    shed = REGISTRY.get_sample_value("grpc_server_shed_total") or 0
    async with served(quotas(get_status=held), interceptors=[AdmissionInterceptor(live)]) as up:

        def call() -> "asyncio.Future[Any]":
            work = up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
            return asyncio.ensure_future(work)

        admitted = [call(), call()]
        for _ in admitted:
            await held.begun.acquire()
        assert REGISTRY.get_sample_value("grpc_server_in_flight") == 2
        with pytest.raises(AppError) as refused:
            await call()
        assert refused.value.reason == REASON_OVERLOADED
        assert refused.value.outcome.http_status == 503
        assert refused.value.retry_after == 1
        held.let_go.set()
        await asyncio.gather(*admitted)
        await call()
    assert REGISTRY.get_sample_value("grpc_server_shed_total") == shed + 1
    assert REGISTRY.get_sample_value("grpc_server_in_flight") == 0


async def test_the_bound_follows_its_setting(live: Live[MeshSettings]) -> None:
    held = Held()
    async with served(quotas(get_status=held), interceptors=[AdmissionInterceptor(live)]) as up:
        live.apply({"mesh.max-in-flight": "1"})
        first = asyncio.ensure_future(up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE))
        await held.begun.acquire()
        with pytest.raises(AppError):
            await up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
        held.let_go.set()
        await first


async def test_a_failed_or_cancelled_call_makes_room_again(live: Live[MeshSettings]) -> None:
    held = Held()
    async with served(quotas(get_status=held), interceptors=[AdmissionInterceptor(live)]) as up:
        for _ in range(5):
            call = asyncio.ensure_future(
                up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
            )
            await held.begun.acquire()
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            async with asyncio.timeout(PATIENCE):
                await held.ended.acquire()
    assert REGISTRY.get_sample_value("grpc_server_in_flight") == 0


async def test_watches_take_no_room(live: Live[MeshSettings]) -> None:
    watches = servicing(CREDENTIALS, watch_revocations=endless)
    async with served(quotas(), watches, interceptors=[AdmissionInterceptor(live)]) as up:
        streams = [up.channel.stream(WATCH, WATCH.request()) for _ in range(4)]
        for stream in streams:
            await anext(stream)
        await up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
        for stream in streams:
            async with closing(stream):
                pass
