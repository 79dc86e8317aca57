"""A result as Markdown."""

from collections.abc import Iterable, Iterator, Sequence

from bench.aims import aims, services
from bench.cases import YARDSTICKS
from bench.figures import ALL_CASES, EDGE_CASES, cpu, p50, p99, throughput
from bench.result import Result


def markdown(result: Result) -> Iterator[str]:
    """The lines; figures of several rounds are min / median / max."""
    options = result.options
    yield "# Benchmark"
    yield from (f"- {name}: {text}" for name, text in result.machine.items())
    yield (
        f"- {options.rounds} rounds of {options.seconds} s a load,"
        f" {options.callers} callers with a key and a pool each; min / median / max of the rounds"
    )
    failures = result.failures()
    if failures:
        yield from ("", "## FAILED", *(f"- {failure}" for failure in failures))
        return
    yield from _aims(result)
    for connections in options.connections:
        yield from _ratios(result, connections)
        yield from _figures(result, connections)
        yield from _processes(result, connections)
    yield from _memory(result)
    yield from _exactness(result)


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A section with one table."""
    yield from ("", f"## {title}", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|")
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _aims(result: Result) -> Iterator[str]:
    judged = aims(result.figures, result.options.connections, result.loaded)
    rows = [(a.name, a.aim, a.measured, "met" if a.met else "**missed**") for a in judged]
    yield from table("Aims", ("what", "aim", "measured", ""), rows)


def _ratios(result: Result, connections: int) -> Iterator[str]:
    columns = (("throughput", throughput), ("p50", p50), ("p99", p99), ("CPU a call", cpu))
    rows = [
        [case, yardstick.split()[0]]
        + [
            result.figures.ratio(case, yardstick, connections, figure).text(2)
            for _, figure in columns
        ]
        for case in EDGE_CASES
        for yardstick in YARDSTICKS[case]
    ]
    head = ("edge", "as a multiple of", *(name for name, _ in columns))
    yield from table(f"Ratios at {connections} connections", head, rows)


def _figures(result: Result, connections: int) -> Iterator[str]:
    figures = (
        *((throughput, 0), (p50, 1), (p99, 1), (cpu, 0)),
        *((lambda sample: sample.busy * 100, 0), (lambda sample: sample.settled, 1)),
    )
    rows = [
        [case]
        + [
            result.figures.spread(case, connections, figure).text(digits)
            for figure, digits in figures
        ]
        for case in ALL_CASES
    ]
    head = ("", "calls/s", "p50 ms", "p99 ms", "CPU us a call", "core %", "idle after s")
    yield from table(f"Figures at {connections} connections", head, rows)


def _processes(result: Result, connections: int) -> Iterator[str]:
    names = list(result.loaded)
    rows = [
        [case, *(result.figures.cpu_of(case, connections, name).text(0) for name in names)]
        for case in EDGE_CASES
    ]
    yield from table(f"CPU us a call by process at {connections} connections", ("", *names), rows)


def _memory(result: Result) -> Iterator[str]:
    rows = [
        (name, f"{idle.rss:.0f}", f"{idle.pss:.0f}", f"{after.rss:.0f}", f"{after.pss:.0f}")
        for name, idle, after in (
            *((name, result.idle[name], result.loaded[name]) for name in result.loaded),
            ("the five", services(result.idle), services(result.loaded)),
        )
    ]
    head = ("MiB", "RSS idle", "PSS idle", "RSS after load", "PSS after load")
    yield from table("Memory", head, rows)
    starts = ", ".join(f"{seconds:.1f} s" for seconds in result.starts)
    yield from ("", f"Start-up of `leaky up`, on all cores, first on no data: {starts}")


def _exactness(result: Result) -> Iterator[str]:
    rows = [
        (name, str(each.answered), str(each.lost), str(each.slack), _verdict(each.comparable))
        for name, each in result.exact.items()
    ]
    head = ("tokens of one pool", "answered", "lost", "may differ by", "")
    yield from table("Exactness under load", head, rows)


def _verdict(comparable: bool) -> str:  # noqa: FBT001 only its word
    return "holds" if comparable else "the pool was renewed meanwhile"
