"""What `leaky top` has on a screen, read by its look alone."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.full.top.terminal import Terminal

_TITLE = re.compile(r"leaky top  (\S+)  rates over ([\d.]+) s")


@dataclass(frozen=True, slots=True)
class Shown:
    """The edge's row: seconds that its rate is over, calls a second, p95 in milliseconds."""

    at: str
    seconds: float
    rate: float
    p95: float | None

    @property
    def calls(self) -> float:
        """How many it stands for."""
        return self.seconds * self.rate


def read(screen: str, instance: str) -> Shown | None:
    """The frame that is on it; None before there are rates."""
    title = _TITLE.search(screen)
    for line in screen.splitlines():
        name, *cells = line.split() or [""]
        if title and name == instance:
            _health, _kind, rate, _errors, _p50, p95, *_ = cells
            return Shown(title[1], float(title[2]), float(rate), _number(p95))
    return None


def _number(text: str) -> float | None:
    return None if text == "-" else float(text)


def watch(terminal: Terminal, instance: str, enough: Callable[[list[Shown]], bool]) -> list[Shown]:
    """The frames from now on, each once, until there are enough."""
    found: list[Shown] = []
    deadline = time.monotonic() + 120
    while not enough(found):
        shown = read(terminal.shown, instance)
        if shown is not None and (not found or shown.at != found[-1].at):
            found.append(shown)
        assert time.monotonic() < deadline, terminal.shown
        time.sleep(0.1)
    return found
