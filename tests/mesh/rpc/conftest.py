"""One event loop for all tests of a file."""

from collections.abc import AsyncIterator

import pytest


@pytest.fixture(scope="module", autouse=True)
async def one_loop(anyio_backend: str) -> AsyncIterator[None]:
    """Keeps the loop: grpcio may tell a call's end late, and then has to find it open."""
    assert anyio_backend
    yield  # noqa: PT022 the loop lives as long as what has yielded
