"""Endpoints that take too long."""

import asyncio

import pytest
from starlette.requests import Request
from starlette.responses import Response

from leaky.common.v1.reason_pb2 import REASON_DEADLINE_EXCEEDED
from mesh.errors import AppError
from svc_auth.oauth2.bounded import bounded

pytestmark = pytest.mark.anyio
REQUEST = Request({"type": "http"})


async def test_what_takes_too_long_is_cut() -> None:
    ended = asyncio.Event()

    async def endless(_request: Request) -> Response:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    with pytest.raises(AppError) as refused:
        await bounded(endless, 0.001)(REQUEST)
    assert refused.value.reason == REASON_DEADLINE_EXCEEDED
    assert ended.is_set()


async def test_what_is_in_time_and_its_own_timeouts_pass() -> None:
    async def quick(_request: Request) -> Response:
        return Response("done")

    async def late(_request: Request) -> Response:
        raise TimeoutError

    assert (await bounded(quick)(REQUEST)).body == b"done"
    with pytest.raises(TimeoutError):
        await bounded(late)(REQUEST)
