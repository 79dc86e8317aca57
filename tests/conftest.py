"""What every test may ask for."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import settings

# How fast a machine is, is not what a property is about.
settings.register_profile("leaky", deadline=None)
settings.load_profile("leaky")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def one_loop(anyio_backend: str) -> AsyncIterator[None]:
    """One loop a file: grpcio may tell a call's end late, and then has to find it open."""
    assert anyio_backend
    yield  # noqa: PT022 the loop lives as long as what has yielded
