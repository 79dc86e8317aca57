"""Live settings of a whole system, as an operator changes them in Consul KV."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.parts.whole import Whole
from tests.e2e.system import until

# Reached only on failure.
READ_SECONDS = 60.0
DELAY = "stubs.openai.faults.delay"


def change(whole: Whole, name: str, value: str) -> None:
    """Returns when every instance of the service has said that it has read the change."""
    service = name.partition(".")[0]
    instances = sum(one.partition(".")[0] == service for one in whole.system.pids())
    before = _said(whole, name)
    put(whole, name, value)
    until(lambda: _said(whole, name) >= before + instances, READ_SECONDS)


def put(whole: Whole, name: str, value: str) -> None:
    """The same for a setting that may stand at the value already: nobody is waited for."""
    whole.put(f"leaky/{name.partition('.')[0]}/{name}", value)


def _said(whole: Whole, name: str) -> int:
    lines = whole.system.log().splitlines()
    return sum("settings changed" in line and name in line for line in lines)


@contextmanager
def slow_provider(whole: Whole) -> Iterator[None]:
    """It takes so long that at any moment most consumes are under way."""
    change(whole, DELAY, "300ms")
    try:
        yield
    finally:
        change(whole, DELAY, "0s")
