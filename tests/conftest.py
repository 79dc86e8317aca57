"""What every test may ask for."""

import pytest
from hypothesis import settings

# How fast a machine is, is not what a property is about.
settings.register_profile("leaky", deadline=None)
settings.load_profile("leaky")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
