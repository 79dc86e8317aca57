"""The whole system as real processes, on free ports and data of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.system import System


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A playground that all read-mostly tests share; limits are out of the way."""
    with System(
        tmp_path_factory.mktemp("local"),
        {"LEAKY_GATEWAY_RATE_LIMIT_CAPACITY": "1000000"}
        | {"LEAKY_GATEWAY_RATE_LIMIT_ROUTES_API_V1_TOKENS": "1000000"},
    ).up() as system:
        yield system


@pytest.fixture(scope="session")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The same with every rule enforced."""
    env = {
        "LEAKY_PROFILE": "secure",
        "LEAKY_GATEWAY_RATE_LIMIT_CAPACITY": "1000000",
        "LEAKY_GATEWAY_RATE_LIMIT_ROUTES_API_V1_TOKENS": "1000000",
    }
    with System(tmp_path_factory.mktemp("secure"), env).up() as system:
        yield system


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[System]:
    """A system of the test's own, not started yet."""
    system = System(tmp_path / "data", {})
    yield system
    system.end()
