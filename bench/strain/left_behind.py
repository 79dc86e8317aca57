"""What calls leave behind whose caller has gone away."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.exactness import Pool
from bench.strain.place import STUCK_PROVIDER, Place, open_files
from mesh.rpc.mux.metrics import QUEUED

IN_FLIGHT = "grpc_server_in_flight"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What there is at a moment: in svc_token, and in this process, which calls."""

    in_flight: float
    streams: float
    queued: float
    rss: float
    files: int
    own_tasks: int
    own_files: int
    own_queued: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """How many calls were in flight at svc_token before all were cancelled, and how soon none."""

    begun: float
    ended_seconds: float

    def __str__(self) -> str:
        """As the report has it."""
        return f"of {self.begun:.0f} in flight none was {self.ended_seconds:.2f} s later"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The state before the first time and after each.

    `charged` have been answered by the provider all the same; `astray` tokens neither paid
    for these nor came back.
    """

    calls: int
    times: Sequence[Once]
    states: Sequence[State]
    charged: float
    astray: float

    @property
    def growth(self) -> float:
        """Of svc_token's RSS over the second half of the times, as a multiple.

        In the first, what it keeps of past calls is filled, and its allocator's arenas.
        """
        return self.states[-1].rss / self.states[len(self.states) // 2].rss

    @property
    def ended_seconds(self) -> float:
        """The longest that svc_token went on with a call after it had been cancelled."""
        return max(each.ended_seconds for each in self.times)

    def left(self) -> dict[str, float]:
        """What is there more at the end than after the first time."""
        first, last = self.states[1], self.states[-1]
        return {
            "calls in flight at svc_token": last.in_flight,
            "calls queued, both sides": last.queued + last.own_queued,
            "files of svc_token": last.files - first.files,
            "streams of calls": last.streams - first.streams,
            "tasks here": last.own_tasks - first.own_tasks,
            "files here": last.own_files - first.own_files,
        }

    def problems(self) -> Iterator[str]:
        """Why the figures mean nothing."""
        begun = min(each.begun for each in self.times)
        if begun < self.calls:
            yield f"cancelled calls: only {begun:.0f} were ever in flight at once"
        if self.astray:
            yield f"cancelled calls: {self.astray:.0f} tokens are astray"


def state_of(place: Place, own_tasks: int) -> State:
    """Now, with so many tasks in this process."""
    return State(
        in_flight=place.metric("token", IN_FLIGHT),
        streams=place.metric("token", "mux_streams", side="server"),
        queued=place.metric("token", "mux_calls_queued"),
        rss=place.rss()["token"],
        files=place.open_files("token"),
        own_tasks=own_tasks,
        own_files=open_files(os.getpid()),
        own_queued=QUEUED.value,
    )


def books(place: Place) -> tuple[Pool, float]:
    """The pool, and how many consumes of it were ever charged."""
    pool = Pool.of(place.system, place.callers[0], STUCK_PROVIDER)
    return pool, place.consumed(outcome="allowed")
