import asyncio

import pytest
from prometheus_client import REGISTRY

from mesh.telemetry.loop_lag import INTERVAL_SECONDS, LoopLag

pytestmark = pytest.mark.anyio


def seen(part: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"event_loop_lag_seconds_{part}", labels) or 0.0


class Late:
    """A loop whose timers are late by these seconds, one after another, until it is stopped."""

    def __init__(self, *late: float) -> None:
        self.time, self.late = 100.0, list(late)

    def now(self) -> float:
        return self.time

    async def pause(self, seconds: float) -> None:
        assert seconds == INTERVAL_SECONDS
        if not self.late:
            raise asyncio.CancelledError
        self.time += seconds + self.late.pop(0)


async def test_it_measures_and_tells_how_late_a_timer_is() -> None:
    before = seen("count"), seen("sum"), seen("bucket", le="0.025")
    loop, told = Late(0.0, 0.02, 0.7, -0.0001), list[float]()
    with pytest.raises(asyncio.CancelledError):
        await LoopLag(told=told.append, now=loop.now, pause=loop.pause)()
    assert seen("count") - before[0] == 4
    assert seen("sum") - before[1] == pytest.approx(0.72)
    assert seen("bucket", le="0.025") - before[2] == 3
    assert told == pytest.approx([0.0, 0.02, 0.7, 0.0])
