"""What a refusal leaves behind: nothing that has to wait for the garbage collector."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from leaky.common.v1.reason_pb2 import REASON_UNAUTHENTICATED
from mesh.edge.request import EdgeRequest
from mesh.errors import AppError
from tests.mesh.edge.raw import asked

pytestmark = pytest.mark.anyio
CONSUME = "/api/v1/tokens/consume"


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("body", [b'{"userId": "nobody"}', b"{"])
async def test_a_request_that_cannot_be_served_is_gone(world: Any, body: bytes) -> None:
    status, request = await asked(world.app, "POST", CONSUME, body=body)
    assert (status, request()) == (400, None)


@pytest.mark.usefixtures("uncollected")
async def test_a_request_that_a_hook_refuses_is_gone(make_world: Any) -> None:
    async def refuse(_request: EdgeRequest) -> None:
        raise AppError(REASON_UNAUTHENTICATED, "who are you")

    status, request = await asked(make_world(before=(refuse,)).app, "POST", CONSUME, body=b"{}")
    assert (status, request()) == (401, None)
