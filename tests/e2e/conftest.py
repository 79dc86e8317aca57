"""The whole system as real processes, on free ports and data of its own.

Where all the real parts run it stands on them, with two of svc_token and two
of svc_gateway; else on the embedded stores.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e import real
from tests.e2e.system import System

Made = Callable[[Path, Mapping[str, str]], System]


@pytest.fixture(scope="session")
def systems() -> Iterator[Made]:
    """Makes systems that have not been started yet; all are ended after the last test."""
    with ExitStack() as stack:

        def make(data: Path, env: Mapping[str, str]) -> System:
            made = _made(stack, data, env)
            stack.callback(made.end)
            return made

        yield make


def _made(stack: ExitStack, data: Path, env: Mapping[str, str]) -> System:
    if not real.there():
        return System(data, env)
    corner = stack.enter_context(real.corner())
    own = {**corner.env, **env}
    return System(data, own, instances=real.INSTANCES, operator=corner.operator)


@pytest.fixture(scope="session")
def local(systems: Made, tmp_path_factory: pytest.TempPathFactory) -> System:
    """A playground that all read-mostly tests share; limits are out of the way."""
    env = {
        "LEAKY_GATEWAY_RATE_LIMIT_CAPACITY": "1000000",
        "LEAKY_GATEWAY_RATE_LIMIT_ROUTES_API_V1_TOKENS": "1000000",
        "LEAKY_AUTH_LOGIN_TRIES": "1000000",
        "LEAKY_AUTH_LOGIN_ADDRESS_TRIES": "1000000",
        "LEAKY_AUTH_LOGIN_ACCOUNT_TRIES": "1000000",
        "LEAKY_AUTH_API_KEY_MAX_PER_USER": "1000000",
    }
    return systems(tmp_path_factory.mktemp("local"), env).start()


@pytest.fixture(scope="session")
def secure(systems: Made, tmp_path_factory: pytest.TempPathFactory) -> System:
    """The same with every rule enforced."""
    env = {
        "LEAKY_PROFILE": "secure",
        "LEAKY_GATEWAY_RATE_LIMIT_CAPACITY": "1000000",
        "LEAKY_GATEWAY_RATE_LIMIT_ROUTES_API_V1_TOKENS": "1000000",
        "LEAKY_AUTH_LOGIN_TRIES": "1000000",
        "LEAKY_AUTH_LOGIN_ADDRESS_TRIES": "1000000",
        "LEAKY_AUTH_LOGIN_ACCOUNT_TRIES": "1000000",
        "LEAKY_AUTH_API_KEY_MAX_PER_USER": "1000000",
    }
    return systems(tmp_path_factory.mktemp("secure"), env).start()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[System]:
    """A system of the test's own, not started yet."""
    with ExitStack() as stack:
        system = _made(stack, tmp_path / "data", {})
        stack.callback(system.end)
        yield system
