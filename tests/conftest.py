"""What every test may ask for."""

import asyncio
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.parts.urls import REAL

TESTS = Path(__file__).parent
# Where every test is about the real parts, or runs the whole system on what is there.
ROOMS = ("compose", "full", "e2e")
# Where a file takes longest.
LONG = ("e2e/", "full/", "mesh/cli/", "bench/", "simulation/")
# How fast a machine is, is not what a property is about.
settings.register_profile("leaky", deadline=None)
settings.load_profile("leaky")


class _Loop(asyncio.SelectorEventLoop):
    """One that does not take another's end for a fault of its own test.

    grpcio has one poller for the process, which may tell of a call's end when the loop of
    its test is closed: the loop that is there then hears that, and nobody waits for it.
    """

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not _told_too_late(context.get("exception")):
            super().call_exception_handler(context)


def _told_too_late(error: BaseException | None) -> bool:
    if not isinstance(error, RuntimeError) or str(error) != "Event loop is closed":
        return False
    frames = traceback.extract_tb(error.__traceback__)
    return any("PollerCompletionQueue" in frame.name for frame in frames)


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": _Loop}


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "leave out what stands on embedded stores alone, which `make test` runs"
    parser.addoption("--real", action="store_true", help=text)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=_turn)
    if not config.getoption("--real"):
        return
    without = [item for item in items if not _on_a_real_part(item)]
    items[:] = [item for item in items if _on_a_real_part(item)]
    config.hook.pytest_deselected(items=without)


def _turn(item: pytest.Item) -> int:
    """Files that take minutes come first: begun last, one would keep its worker long after all."""
    path = item.path.relative_to(TESTS).as_posix()
    return next((turn for turn, room in enumerate(LONG) if path.startswith(room)), len(LONG))


def _on_a_real_part(item: pytest.Item) -> bool:
    """A contract suite over one, what only one shows, or the whole system on them."""
    chosen = getattr(item, "callspec", None)
    backends = set() if chosen is None else {one for one in chosen.params.values() if one in REAL}
    room = item.path.relative_to(TESTS).parts[0]
    return bool(backends) or room in ROOMS or item.get_closest_marker("skipif") is not None
