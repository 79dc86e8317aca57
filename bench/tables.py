"""Markdown's tables of the figures at so many connections."""

from collections.abc import Iterable, Iterator, Sequence

from bench.cases import named
from bench.figures import Figures, cpu, p50, p99, throughput
from bench.result import Result
from bench.rows import Row, chosen, yardsticks

_RATIOS = (("throughput", throughput), ("p50", p50), ("p99", p99), ("CPU a call", cpu))
_FIGURES = (
    *((throughput, 0), (p50, 2), (p99, 1), (cpu, 0)),
    *((lambda sample: sample.busy * 100, 0), (lambda sample: sample.settled, 1)),
)


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A section with one table."""
    yield from ("", f"## {title}", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|")
    yield from (f"| {' | '.join(row)} |" for row in rows)


def ratios(result: Result, connections: int) -> Iterator[str]:
    """As multiples of the yardsticks, and of the first system where there is another."""
    first = result.options.ways[0]
    rows = [
        [case, first if against == row.name else against.split()[0], *ratio]
        for row, case, label in _rows(result, connections)
        for against in (*row.yardsticks, *((row.name,) if label else ()))
        for ratio in [_ratio(result.figures, case, against, connections)]
    ]
    head = ("edge", "as a multiple of", *(name for name, _ in _RATIOS))
    yield from table(f"Ratios at {connections} connections", head, rows)


def figures(result: Result, connections: int) -> Iterator[str]:
    """As they are, the yardsticks' first."""
    names = yardsticks(chosen(result.options.cases))
    cases = [*names, *(case for _, case, _ in _rows(result, connections))]
    rows = [[case, *_figure(result.figures, case, connections)] for case in cases]
    head = ("", "calls/s", "p50 ms", "p99 ms", "CPU us a call", "core %", "idle after s")
    yield from table(f"Figures at {connections} connections", head, rows)
    yield from _pairs(result, connections)


def processes(result: Result, connections: int) -> Iterator[str]:
    """The edge's CPU by process."""
    names = list(result.systems[0].loaded)
    rows = [
        [case, *(result.figures.cpu_of(case, connections, name).text(0) for name in names)]
        for _, case, _ in _rows(result, connections)
    ]
    yield from table(f"CPU us a call by process at {connections} connections", ("", *names), rows)


def _rows(result: Result, connections: int) -> Iterator[tuple[Row, str, str]]:
    """Each row as it is called on each system."""
    for row in chosen(result.options.cases):
        for system in result.systems:
            case = named(row, system.label)
            if result.figures.has(case, connections):
                yield row, case, system.label


def _ratio(figures: Figures, case: str, against: str, connections: int) -> Iterator[str]:
    for _, figure in _RATIOS:
        yield figures.ratio(case, against, connections, figure).text(2)


def _figure(figures: Figures, case: str, connections: int) -> Iterator[str]:
    for figure, digits in _FIGURES:
        yield figures.spread(case, connections, figure).text(digits)


def _pairs(result: Result, connections: int) -> Iterator[str]:
    for row, case, _ in _rows(result, connections):
        if row.pair > 1:
            calls = result.figures.spread(case, connections, throughput).over(row.pair)
            yield from ("", f"{case}: {calls.text(0)} pairs/s, each of {row.pair} calls")
