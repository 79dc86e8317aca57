"""What is aimed at; met or missed, never a gate."""

from collections.abc import Iterator
from math import isinf

from bench.aims import Aim
from bench.strain.killed import Killed
from bench.strain.left_behind import Cancelled
from bench.strain.options import Options
from bench.strain.overloaded import NORMAL, Overloaded
from bench.strain.place import WATCHED
from bench.strain.result import Result

SLOW_RATIO = 1.10
GOODPUT, REFUSED_MS, OVERLOAD_GROWTH, BACK_SECONDS = 0.9, 50.0, 1.10, 2.0
# Where another instance lives, and where the one has to come back.
NOTICED_SECONDS, RESTART_SECONDS = 0.5, 15.0
# Of svc_token's RSS, and of its files: what comes and goes.
_GROWTH, _FEW = 1.05, 8
# The last of them would end by itself 6 s after it began.
_ENDED_SECONDS = 2.0


def aims(result: Result, options: Options) -> Iterator[Aim]:
    """Of what was measured."""
    if result.slow:
        yield Aim(
            name="p99 of the others beside one slow call, x without",
            aim=f"<= {SLOW_RATIO:.2f}",
            measured=result.slow.ratio.text(2),
            met=result.slow.ratio.median <= SLOW_RATIO,
        )
    if result.cancelled:
        yield from _leaks(result.cancelled)
    for killed in result.killed:
        yield from _kills(killed)
    for each in result.overloads:
        yield from _overload(each, options)


def _leaks(one: Cancelled) -> Iterator[Aim]:
    yield Aim(
        name=f"of {one.calls} cancelled calls none is in flight at svc_token",
        aim=f"within {_ENDED_SECONDS:g} s",
        measured=f"after {one.ended_seconds:.2f} s",
        met=one.ended_seconds <= _ENDED_SECONDS,
    )
    for name, left in one.left().items():
        most = _FEW if "files" in name else 0
        aim = f"<= {most}" if most else "0"
        yield Aim(
            name=f"left of {one.calls} cancelled calls: {name}",
            aim=aim,
            measured=f"{left:.0f}",
            met=left <= most,
        )
    yield Aim(
        name="svc_token's RSS, x after half of the times",
        aim=f"<= {_GROWTH:.2f}",
        measured=f"{one.growth:.3f}",
        met=one.growth <= _GROWTH,
    )


def _kills(one: Killed) -> Iterator[Aim]:
    name, several = f"kill -9 of {one.name}", one.instances > 1
    wrong = len(one.counted.findings) + one.counted.astray
    yield Aim(
        name=f"{name}: of {len(one.told.pieces)} operations",
        aim="none lost, none done twice",
        measured=f"{one.counted}, {one.counted.astray} tokens astray",
        met=not wrong,
    )
    if several:
        yield Aim(
            name=f"{name}: of {len(one.told.reads)} reads fail",
            aim="0",
            measured=f"{one.told.reads_failed}",
            met=not one.told.reads_failed,
        )
    most = NOTICED_SECONDS if several else RESTART_SECONDS
    yield Aim(
        name=f"{name}: the first operation is done again",
        aim=f"within {most:g} s",
        measured=f"after {one.first_seconds:.2f} s",
        met=one.first_seconds <= most,
    )


def _overload(one: Overloaded, options: Options) -> Iterator[Aim]:
    name = f"{options.times} x {options.connections} connections, {one.limit} in flight"
    yield Aim(
        name=f"{name}: goodput, x the peak",
        aim=f">= {GOODPUT:.1f}",
        measured=f"{one.share:.2f}; CPU of each {one.cost:.2f} x that at the peak",
        met=one.share >= GOODPUT,
    )
    if one.over.refused_p99_ms:
        yield Aim(
            name=f"{name}: p99 of refusals",
            aim=f"<= {REFUSED_MS:.0f} ms",
            measured=f"{one.over.refused_p99_ms:.1f} ms",
            met=one.over.refused_p99_ms <= REFUSED_MS,
        )
    for service in WATCHED:
        yield Aim(
            name=f"{name}: most RSS of {service}, x before",
            aim=f"< {OVERLOAD_GROWTH:.2f}",
            measured=f"{one.growth(service):.3f}",
            met=one.growth(service) < OVERLOAD_GROWTH,
        )
    back = one.back_after
    yield Aim(
        name=f"{name}: a light load's p99 is at most {NORMAL:g} x its worst half second before",
        aim=f"within {BACK_SECONDS:g} s",
        measured="not in time" if isinf(back) else f"after {back:g} s",
        met=back <= BACK_SECONDS,
    )
