"""How far behind the consumer is, is known or said to be unknown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import structlog.testing

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from svc_analytics.domain.message import Message
from svc_analytics.workers.usage_lag import INTERVAL_SECONDS, LAG, UsageLag

pytestmark = pytest.mark.anyio


@dataclass
class Lagging:
    """Answers one after the other; None while it is away."""

    answers: list[int | None]

    async def lag(self) -> int:
        answer = self.answers.pop(0)
        if answer is None:
            raise AppError(REASON_UNAVAILABLE, "Kafka is not available")
        return answer

    async def receive(self, limit: int) -> Sequence[Message]:
        raise NotImplementedError(limit)

    async def done(self, messages: Sequence[Message]) -> None:
        raise NotImplementedError(messages)

    async def bury(self, message: Message, reason: str) -> None:
        raise NotImplementedError(message, reason)


class Enough(Exception):  # noqa: N818 it ends the worker
    pass


async def test_the_lag_is_measured_and_an_absence_said_once() -> None:
    source = Lagging([7, None, None, 0, None])
    seen: list[float] = []

    async def pause(seconds: float) -> None:
        assert seconds == INTERVAL_SECONDS
        seen.append(float(LAG._value.get()))
        if not source.answers:
            raise Enough

    with structlog.testing.capture_logs() as logs, pytest.raises(Enough):
        await UsageLag(source=source, pause=pause)()
    assert [-1 if math.isnan(one) else one for one in seen] == [-1, 7, -1, -1, 0, -1]
    assert [entry["log_level"] for entry in logs] == ["warning", "info", "warning"]
