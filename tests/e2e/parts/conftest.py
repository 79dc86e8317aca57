"""A system on the real parts, shared by the tests that do things to it."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.e2e import real
from tests.e2e.parts.whole import ROOMY, Whole
from tests.e2e.system import System


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """Two of svc_token, two of svc_gateway, started; limits are out of the way.

    One for all: what a test does to it, the next one finds mended.
    """
    with ExitStack() as stack:
        corner = stack.enter_context(real.corner())
        system = System(
            tmp_path_factory.mktemp("whole") / "data",
            {**corner.env, **ROOMY},
            instances=real.INSTANCES,
            operator=corner.operator,
        )
        stack.callback(system.end)
        yield Whole(system=system.start(), corner=corner)
