"""Calls between processes: they take time, get lost on the way there or back, and come twice."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from tests.simulation.faults import Faults
from tests.simulation.loop import Process, VirtualLoop
from tests.simulation.trace import Trace

T = TypeVar("T")
Handler = Callable[[], Coroutine[Any, Any, T]]


class LostError(AppError):
    """No answer came: it may have happened."""

    def __init__(self, what: str) -> None:
        super().__init__(REASON_UNAVAILABLE, f"no answer from {what}", retry_after=1)


@dataclass(slots=True)
class Network:
    """The one between all processes of a simulation."""

    loop: VirtualLoop
    faults: Faults
    trace: Trace
    timeout: float = 5.0

    def chance(self, of: float) -> bool:
        """Whether it happens this time."""
        return of > 0 and self.loop.random.random() < of

    def latency(self) -> float:
        """Of one way, in seconds."""
        random = self.loop.random.random
        return 0.2 + 1.8 * random() if self.chance(self.faults.slow) else 0.0005 + 0.004 * random()

    async def pause(self) -> None:
        """One way's time."""
        await asyncio.sleep(self.latency())

    async def call(
        self,
        to: Process,
        what: str,
        handler: Handler[T],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 what it stops runs elsewhere
    ) -> T:
        """The handler's answer, which runs in that process.

        Raises LostError when no answer comes in time, or `to` crashes
        meanwhile; a caller that is cancelled or late cancels it there, a moment later.
        """
        call = _Call(self, to, what, handler, self.loop.create_future())
        call.send()
        to.deaths[call] = call.lose
        try:
            async with asyncio.timeout(timeout or self.timeout):
                answer: T = await call.answer
                return answer
        except TimeoutError:
            self.later(call.hang_up)
            raise LostError(what) from None
        except asyncio.CancelledError:
            self.later(call.hang_up)
            raise
        finally:
            del to.deaths[call]

    def later(self, action: Callable[..., None], *arguments: Any) -> None:
        """What arrives after one way's time, whoever has sent it."""
        self.loop.after(self.latency(), self.loop.outside, action, *arguments)


@dataclass(slots=True, eq=False)
class _Call:
    """A call under way."""

    network: Network
    to: Process
    what: str
    handler: Handler[Any]
    answer: "asyncio.Future[Any]"
    task: "asyncio.Task[None] | None" = None

    def send(self) -> None:
        if self.network.chance(self.network.faults.lost_request):
            self.network.trace("lost request", self.what)
        else:
            self.network.later(self._arrive)

    def hang_up(self) -> None:
        if self.task is not None:
            self.task.cancel()

    def lose(self) -> None:
        _resolve(self.answer, None, LostError(self.what))

    def _arrive(self) -> None:
        if self.to.alive:
            self.task = self.network.loop.spawn(self.to, self._serve())

    async def _serve(self) -> None:
        result, failure = None, None
        try:
            result = await self.handler()
        except Exception as error:  # noqa: BLE001 it is the caller's
            failure = error
        if self.network.chance(self.network.faults.lost_reply):
            self.network.trace("lost reply", self.what)
        else:
            self.network.later(_resolve, self.answer, result, failure)


def _resolve(answer: "asyncio.Future[Any]", result: Any, failure: BaseException | None) -> None:
    if answer.done():
        return
    if failure is not None:
        answer.set_exception(failure)
    else:
        answer.set_result(result)
