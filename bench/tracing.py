"""`python -m bench.tracing`: what tracing costs a consume, in CPU of all processes.

Two systems are up at once: one without tracing, one that sends its spans to a collector in this
process. Both have the same calls at the same time and on the same core, so that whatever else
the machine does costs both alike; a round has such a pair at 1 % and one at 100 %, every other
round backwards. A ratio is taken within a pair, and the median of the rounds is told.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from bench.callers import Caller, register
from bench.cases import Case
from bench.measure import settle
from bench.processes import cpu_seconds, pin
from bench.rounds import sound
from bench.spread import Spread
from bench.system import NO_LIMITS, UP, System, up
from mesh.private_file import write_private
from mesh.settings.source import FILE

ONE, ALL = "1 %", "100 %"
RATIOS = {ONE: "0.01", ALL: "1"}
AIM = 1.03
# Settings in a file are live within a second.
_LIVE_SECONDS = 1.5
_CALLERS = 16
_CONNECTIONS = 8
# Of both systems; the load has the others.
_CORE = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A system under one ratio."""

    system: System
    case: Case
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """CPU microseconds a consume, of both systems at the same time."""

    off_us: float
    on_us: float

    @property
    def ratio(self) -> float:
        """What tracing multiplies it by."""
        return self.on_us / self.off_us


class _Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes spans, and counts them."""

    spans = 0

    def Export(self, request: Any, _context: Any) -> Any:  # noqa: N802 OTLP's name
        groups = (scope for one in request.resource_spans for scope in one.scope_spans)
        self.spans += sum(len(group.spans) for group in groups)
        return trace_service_pb2.ExportTraceServiceResponse()


@contextmanager
def collecting() -> Iterator[tuple[_Collector, str]]:
    """A collector, and the endpoint that leads to it."""
    collector = _Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
    add(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield collector, f"http://127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


def main(arguments: Sequence[str]) -> int:
    """0, or 1 when an answer was no 200."""
    parser = argparse.ArgumentParser(prog="python -m bench.tracing")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=1_000, help="consumes a measurement")
    options = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    with ExitStack() as stack:
        collector, endpoint = stack.enter_context(collecting())
        off = _way(stack, {})
        on = _way(stack, {"tracing.endpoint": endpoint})
        rounds = [_round(off, on, number, options.calls) for number in range(options.rounds)]
    told = f"{options.rounds} rounds of {options.calls} consumes at {_CONNECTIONS} connections"
    print("\n".join(markdown(rounds, f"{told}; load average {load:.1f} before")))
    print(f"{collector.spans} spans were taken", file=sys.stderr)
    return 0


def _way(stack: ExitStack, settings: Mapping[str, str]) -> Way:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leaky-bench-")))
    system = stack.enter_context(up(folder, "local", {**NO_LIMITS, **settings}))
    callers: list[Caller] = register(system.url, _CALLERS)
    requests = tuple(caller.consume() for caller in callers)
    # The supervisor only looks on.
    pids = {name: pid for name, pid in system.pids.items() if name != UP}
    for pid in pids.values():
        pin(pid, {_CORE})
    case = Case(name="consume", port=system.port, pids=pids, requests=requests)
    return Way(system=system, case=case, folder=folder)


def _round(off: Way, on: Way, number: int, calls: int) -> dict[str, Pair]:
    order = list(RATIOS)[:: -1 if number % 2 else 1]
    pairs = {name: _pair(off, on, name, calls) for name in order}
    shown = ", ".join(f"{name} {pairs[name].ratio:.3f}" for name in RATIOS)
    print(f"round {number + 1}: {shown}", file=sys.stderr, flush=True)
    return pairs


def _pair(off: Way, on: Way, name: str, calls: int) -> Pair:
    """Both at once, until all has come to rest; the caches have seen both before."""
    changed = json.dumps({"tracing.sample-ratio": RATIOS[name]})
    write_private(on.folder / "data" / FILE, changed, durable=False)
    time.sleep(_LIVE_SECONDS)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda way: _consume(way.case, calls // 4), (off, on)))
        before = _spent(off.case), _spent(on.case)
        list(threads.map(lambda way: _consume(way.case, calls), (off, on)))
    spent = (_spent(off.case) - before[0]) * 1e6, (_spent(on.case) - before[1]) * 1e6
    return Pair(off_us=spent[0] / calls, on_us=spent[1] / calls)


def _consume(case: Case, calls: int) -> None:
    """Returns when the work that they leave behind is done, too."""
    sound(case, connections=_CONNECTIONS, count=calls)
    settle(case)


def _spent(case: Case) -> float:
    return sum(map(cpu_seconds, case.pids.values()))


def markdown(rounds: Sequence[Mapping[str, Pair]], about: str) -> list[str]:
    """The figures: min / median / max of the rounds."""
    lines = [
        about,
        "",
        "| sampled | CPU a consume, us | untraced beside it | as a multiple |",
        "|---|---|---|---|",
    ]
    ratios = {}
    for name in RATIOS:
        pairs = [each[name] for each in rounds]
        ratios[name] = Spread.of(pair.ratio for pair in pairs)
        on, off = Spread.of(p.on_us for p in pairs), Spread.of(p.off_us for p in pairs)
        lines.append(f"| {name} | {on.text(0)} | {off.text(0)} | {ratios[name].text(3)} |")
    verdict = "met" if ratios[ONE].median < AIM else "**missed**"
    return [*lines, "", f"Aim: 1 % costs less than 3 %: {verdict}."]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
