"""An event loop without a world: time is a number, and a seed says whose turn it is.

A process is whoever's code runs: what it schedules is its own, and once it has
crashed nothing of it runs again, nor while it is stopped. Inside a process
callbacks keep the order that asyncio promises; between processes any order
may come, as on a machine.
"""

import asyncio
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")
# 2023-11-14T22:13:20Z
EPOCH_US = 1_700_000_000_000_000
MOST_AWAITS = 100
_NOTHING = Context()


@dataclass(slots=True, eq=False)
class Process:
    """Who may crash or be stopped; `deaths` are told when it crashes.

    `late` are the timers that ran out while it was stopped.
    """

    name: str
    mortal: bool = False
    alive: bool = True
    stopped: bool = False
    ready: deque[events.Handle] = field(default_factory=deque)
    late: deque[events.Handle] = field(default_factory=deque)
    deaths: dict[object, Callable[[], None]] = field(default_factory=dict)


class Task(asyncio.Task[Any]):
    """A task that knows whose it is."""

    owner: Process | None = None


class VirtualLoop(asyncio.BaseEventLoop):
    """Replays exactly: same seed, same order.

    `fate` is called with the process whose turn it is, before it has it, and
    may kill or stop it.
    """

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.random = random
        self.outside = Process("outside")
        self.current = self.outside
        self.fate: Callable[[Process], None] = lambda _process: None
        self.tasks: list[Task] = []
        self.steps = 0
        self._now = 0.0
        self._stopping = False
        self._turns: list[Process] = []
        self._timers: list[tuple[float, int, Process, events.TimerHandle]] = []
        self._numbers = 0
        self._graves: list[tuple[Process, events.Handle]] = []
        self.faults: list[str] = []
        self.set_task_factory(self._task)
        self.set_exception_handler(self._complain)

    def time(self) -> float:
        """Seconds since the beginning."""
        return self._now

    @contextmanager
    def within(self, process: Process) -> Iterator[None]:
        """What is begun here is that process' own."""
        before, self.current = self.current, process
        try:
            yield
        finally:
            self.current = before

    def spawn(self, process: Process, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task of a process, with nobody's context."""
        with self.within(process):
            return self.create_task(work, context=Context())

    def kill(self, process: Process) -> None:
        """As kill -9: not even a finally block runs."""
        process.alive = False
        self._graves += [(process, handle) for handle in (*process.ready, *process.late)]
        process.ready.clear()
        process.late.clear()
        for told in list(process.deaths.values()):
            told()

    def halt(self, process: Process) -> None:
        """As SIGSTOP: what reaches it waits, and its timers run out unseen."""
        process.stopped = True

    def resume(self, process: Process) -> None:
        """As SIGCONT: what has arrived meanwhile comes before what ran out, or after it."""
        process.stopped = False
        if self.random.random() < 0.5:
            process.ready.extend(process.late)
        else:
            process.ready.extendleft(reversed(process.late))
        process.late.clear()
        if process.ready and process not in self._turns:
            self._turns.append(process)

    def bury(self) -> None:
        """Ends whatever is left, dead or alive: nothing of it meets the next run."""
        # Where there has been no loop yet, finally blocks that ask for it would be made one.
        asyncio.set_event_loop(None)
        # What is ended may begin more, which the list then has as well.
        for task in self.tasks:
            _end(task)
        self._graves.clear()
        self._timers.clear()
        self._turns.clear()
        self.tasks.clear()
        self.close()

    def _task(self, loop: Any, work: Any, **options: Any) -> Task:
        task = Task(work, loop=loop, **options)
        task.owner = self.current
        self.tasks.append(task)
        return task

    def _complain(self, _loop: object, context: dict[str, Any]) -> None:
        # Answers that nobody waits for any more are none.
        if "never retrieved" not in str(context.get("message")):
            self.faults.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _call_soon(self, callback: Any, args: Any, context: Context | None) -> events.Handle:
        handle = events.Handle(callback, args, self, context)
        task = getattr(callback, "__self__", None)
        owner = task.owner if isinstance(task, Task) else None
        self._put(owner or self.current, handle)
        return handle

    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Context | None = None
    ) -> events.Handle:
        """As in any loop."""
        return self._call_soon(callback, args, context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> events.TimerHandle:
        """As in any loop."""
        return self._at(when, self.current, events.TimerHandle(when, callback, args, self, context))

    def after(self, seconds: float, process: Process, callback: Any, *args: Any) -> None:
        """As `call_later`, in that process."""
        when = self._now + seconds
        self._at(when, process, events.TimerHandle(when, callback, args, self, _NOTHING))

    def _at(self, when: float, process: Process, timer: events.TimerHandle) -> events.TimerHandle:
        self._numbers += 1
        heapq.heappush(self._timers, (when, self._numbers, process, timer))
        return timer

    def _timer_handle_cancelled(self, handle: events.TimerHandle) -> None:
        """It is passed over when its time comes."""

    def _put(self, process: Process, handle: events.Handle) -> None:
        if not process.alive:
            self._graves.append((process, handle))
            return
        if not process.ready and not process.stopped:
            self._turns.append(process)
        process.ready.append(handle)

    def _run_once(self) -> None:
        while self._turns:
            index = int(self.random.random() * len(self._turns))
            process = self._turns[index]
            if process.mortal:
                self.fate(process)
            runs = process.ready and not process.stopped
            handle = process.ready.popleft() if runs else None
            if not process.ready or process.stopped:
                self._turns[index] = self._turns[-1]
                self._turns.pop()
            if handle is not None and not handle.cancelled():
                self.steps += 1
                self.current = process
                handle._run()
                self.current = self.outside
            if self._stopping:
                return
        self._pass_time()

    def _pass_time(self) -> None:
        while self._timers:
            when, _, process, timer = heapq.heappop(self._timers)
            if timer.cancelled():
                continue
            self._now = max(self._now, when)
            if process.stopped:
                process.late.append(timer)
                continue
            self._put(process, timer)
            return
        if not self._stopping:
            raise RuntimeError("everybody waits for ever")

    def _write_to_self(self) -> None:
        """There are no other threads."""


def _end(task: Task) -> None:
    if task.done():
        # Asked for, or asyncio would say that nobody has.
        if not task.cancelled():
            task.exception()
        return
    setattr(task, "_log_destroy_pending", False)  # noqa: B010 it has no other switch
    work: Any = task.get_coro()
    for _ in range(MOST_AWAITS):
        try:
            work.close()
        except RuntimeError:
            # It waits for something else in a finally block: that ends as well.
            continue
        return
    raise RuntimeError(f"{work} does not end")


@dataclass(frozen=True, slots=True)
class VirtualClock:
    """The loop's time as a service's clock."""

    loop: VirtualLoop

    def now_us(self) -> int:
        """Microseconds since the Unix epoch."""
        return EPOCH_US + int(self.loop.time() * 1_000_000)

    def monotonic(self) -> float:
        """Seconds."""
        return self.loop.time()


@dataclass(slots=True)
class CountedIds:
    """UUIDs in the order of their making; of each process its own."""

    prefix: int
    count: int = 0

    def new(self) -> str:
        """A new UUID."""
        self.count += 1
        return f"{self.prefix:08x}-0000-4000-8000-{self.count:012x}"
