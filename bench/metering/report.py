"""A result as Markdown."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median

from bench.aims import Aim
from bench.metering.load import Load
from bench.metering.run import BARE, Case, Result
from bench.metering.ways import GROUP, SINGLE
from bench.spread import Spread
from bench.tables import table

# Of the first number of callers; medians of the rounds are compared with them.
HOT_AIM, SPREAD_AIM, LONE_AIM = 15.0, 4.0, 1.2
_LOAD = ("", "operations/s", "p50 ms", "p99 ms", "CPU us each, ours", "CPU us each, server")
_FIGURES: Sequence[tuple[Callable[[Load], float], int]] = (
    (lambda load: load.per_second, 0),
    (lambda load: load.p50_ms, 1),
    (lambda load: load.p99_ms, 1),
    (lambda load: load.cpu_us, 0),
    (lambda load: load.server_cpu_us, 0),
)


def markdown(where: str, about: Mapping[str, str], result: Result, *, aimed: bool) -> Iterator[str]:
    """The lines, with the aims where there are any; of several rounds min / median / max."""
    yield from ("", f"# {where}", *(f"- {name}: {text}" for name, text in about.items()))
    if result.astray:
        yield f"- FAILED: the pools lost {result.astray} tokens more than were answered for"
        return
    rows = [(a.name, a.aim, a.measured, "met" if a.met else "**missed**") for a in aims(result)]
    if aimed:
        yield from table(f"{where}: aims", ("what", "aim", "measured", ""), rows)
    ratios = [
        (_name(case), times(result, case, lambda load: load.per_second).text(1), cpu.text(1))
        for case in result.rounds[0].loads
        for cpu in [_cpu_times(result, case)]
    ]
    head = ("group commit over one transaction a call", "operations/s", "fewer CPU us")
    yield from table(f"{where}: ratios", head, ratios)
    yield from _loads(where, result)
    yield from _lone(where, result)


def aims(result: Result) -> Iterator[Aim]:
    """Judged by the medians."""
    least = min(case.callers for case in result.rounds[0].loads)
    for case in result.rounds[0].loads:
        if case.callers == least:
            aim = HOT_AIM if case.pools == 1 else SPREAD_AIM
            found = times(result, case, lambda load: load.per_second)
            yield Aim(
                name=_name(case),
                aim=f">= {aim:.0f}x",
                measured=found.text(1),
                met=found.median >= aim,
            )
    for way in lone_ways(result):
        found = lone_times(result, way)
        yield Aim(
            name=f"lone reserve, x {way}",
            aim=f"<= {LONE_AIM}x",
            measured=found.text(2),
            met=found.median <= LONE_AIM,
        )


def times(result: Result, case: Case, figure: Callable[[Load], float]) -> Spread:
    """Group commit's figure as a multiple of the other way's, within each round."""
    loads = [each.loads[case] for each in result.rounds]
    return Spread.of(figure(load[GROUP]) / figure(load[SINGLE]) for load in loads)


def lone_times(result: Result, way: str) -> Spread:
    """The median latency of a lone reserve as a multiple of another way's, within each round."""
    return Spread.of(median(each.lone[GROUP]) / median(each.lone[way]) for each in result.rounds)


def lone_ways(result: Result) -> list[str]:
    """What a lone reserve is compared with."""
    return [way for way in (SINGLE, BARE) if way in result.rounds[0].lone]


def _cpu_times(result: Result, case: Case) -> Spread:
    loads = [each.loads[case] for each in result.rounds]
    return Spread.of(_cpu(load[SINGLE]) / _cpu(load[GROUP]) for load in loads)


def _cpu(load: Load) -> float:
    return load.cpu_us + load.server_cpu_us


def _loads(where: str, result: Result) -> Iterator[str]:
    rows = []
    for case in result.rounds[0].loads:
        for way in (GROUP, SINGLE):
            loads = [each.loads[case][way] for each in result.rounds]
            told = (Spread.of(map(figure, loads)).text(digits) for figure, digits in _FIGURES)
            rows.append([f"{_name(case)}, {way}", *told])
    yield from table(f"{where}: loads", _LOAD, rows)


def _lone(where: str, result: Result) -> Iterator[str]:
    ways = [GROUP, *lone_ways(result)]
    rows = [
        [way, Spread.of(median(each.lone[way]) * 1000 for each in result.rounds).text(2)]
        for way in ways
    ]
    yield from table(f"{where}: a lone reserve", ("", "p50 ms"), rows)


def _name(case: Case) -> str:
    pools = "hot pool" if case.pools == 1 else f"{case.pools} pools"
    return f"{pools}, {case.callers} callers"
