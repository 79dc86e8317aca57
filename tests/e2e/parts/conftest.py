"""A system on the real parts, shared by the tests that do things to it."""

from collections.abc import Iterator

import pytest

from tests.e2e import real
from tests.e2e.parts.whole import PATIENT, ROOMY, Whole, started


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """Two of svc_token, two of svc_gateway, started; limits are out of the way.

    One for all: what a test does to it, the next one finds mended.
    """
    with real.corner() as corner, started(corner, tmp_path_factory.mktemp("whole"), ROOMY) as all_:
        yield all_


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """A system of the module's own, with more time for each call than the others have."""
    folder = tmp_path_factory.mktemp("patient")
    with real.corner() as corner, started(corner, folder, PATIENT) as all_:
        yield all_
