"""Places where a test may kill, stop or fail a process: one at every step that crosses a boundary.

LEAKY_FAILPOINTS arms them, for example "group-commit.committed=kill@3;rpc.handled=pause:0.5@1".
It is read once, as this module is imported; a place that is not armed is a function
that does nothing. After FreeBSD's fail(9).
"""

import itertools
import os
import re
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError

VARIABLE = "LEAKY_FAILPOINTS"
_NAME = re.compile(r"[a-z]+(-[a-z]+)*(\.[a-z]+(-[a-z]+)*)+")
_ARM = re.compile(
    r"(?P<name>[^=]+)=(?P<action>kill|stop|raise|disconnect|pause:\d+(\.\d+)?)@(?P<hit>[1-9]\d*)"
)
Place = Callable[[], None]


class WrongFailpointsError(ValueError):
    """LEAKY_FAILPOINTS is not what it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Armed:
    """What happens at one place, at its n-th hit in this process and at no other.

    `kill` and `stop` are the signals 9 and 19 to oneself, `pause:SECONDS` holds
    up the whole process, `raise` is an AppError UNAVAILABLE, and
    `disconnect` what a lost connection looks like.
    """

    name: str
    action: str
    hit: int
    _hits: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def __call__(self) -> None:
        """Counts, and acts when it is time."""
        if next(self._hits) == self.hit:
            # Past Python's buffers: the next line may be the last.
            os.write(2, f"failpoint {self.name}: {self.action} at hit {self.hit}\n".encode())
            self._act()

    def _act(self) -> None:
        match self.action.partition(":"):
            case "kill", _, _:
                os.kill(os.getpid(), signal.SIGKILL)
            case "stop", _, _:
                os.kill(os.getpid(), signal.SIGSTOP)
            case "raise", _, _:
                raise AppError(REASON_UNAVAILABLE, f"failpoint {self.name}", retry_after=1)
            case "disconnect", _, _:
                raise ConnectionResetError(f"failpoint {self.name}")
            case "pause", _, seconds:
                time.sleep(float(seconds))


class Failpoints:
    """The places of a process, by their names, and what is armed of them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.declared: set[str] = set()
        self._armed = _parsed(text)

    def place(self, name: str) -> Place:
        """What a module calls at that place. Raises ValueError for a name that is taken or odd."""
        if name in self.declared or not _NAME.fullmatch(name):
            message = f"{name!r} is no new failpoint's name"
            raise ValueError(message)
        self.declared.add(name)
        return self._armed.get(name, _nothing)

    def check(self, *, permitted: bool) -> None:
        """Raises WrongFailpointsError where some are armed and may not, or in words not known."""
        if self.text and not permitted:
            raise WrongFailpointsError(f"{VARIABLE} is set, and profile secure has no failpoints")
        if self.text and not self._armed:
            message = f"{VARIABLE} must read NAME=kill@3, with stop, raise, disconnect or pause:0.5"
            raise WrongFailpointsError(message)


def _nothing() -> None:
    pass


def _parsed(text: str) -> Mapping[str, Armed]:
    """What is armed; nothing at all when a word of it is wrong, which `check` tells."""
    armed: dict[str, Armed] = {}
    for word in filter(None, text.split(";")):
        match = _ARM.fullmatch(word.strip())
        if match is None:
            return {}
        name = match["name"]
        armed[name] = Armed(name=name, action=match["action"], hit=int(match["hit"]))
    return armed


FAILPOINTS = Failpoints(os.environ.get(VARIABLE, ""))
failpoint = FAILPOINTS.place
