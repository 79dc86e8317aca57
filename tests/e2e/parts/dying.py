"""One of two svc_token under load is killed, and comes back by itself."""

import os
import signal
import time

from tests.e2e.parts import load
from tests.e2e.parts.whole import Whole
from tests.e2e.system import gone

VICTIM = "token.2"
# Reached only on failure.
LATE_SECONDS = 60.0


def both_pass(whole: Whole) -> bool:
    """Whether Consul has both for healthy."""
    return list(whole.states("token").values()) == ["passing", "passing"]


async def dies_and_comes_back(whole: Whole) -> tuple[float, float]:
    """When kill -9 was sent, and when the process was gone.

    Returns once Consul has had it for critical, and calls go to the new one.
    """
    pid = whole.system.pids()[VICTIM]
    sent = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    # Until the kernel has closed its connections it takes calls like a living one.
    await load.holds(lambda: gone(pid), LATE_SECONDS)
    ended = time.monotonic()
    await load.holds(lambda: "critical" in whole.states("token").values(), LATE_SECONDS)
    await load.holds(lambda: both_pass(whole), LATE_SECONDS)
    back = whole.metric(VICTIM, "grpc_server_handled_total")

    def serves() -> bool:
        return whole.metric(VICTIM, "grpc_server_handled_total") > back + 50

    await load.holds(serves, LATE_SECONDS)
    return sent, ended
