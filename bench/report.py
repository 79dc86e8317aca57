"""A result as Markdown."""

from collections.abc import Iterator

from bench.aims import aims, services
from bench.callers import PROVIDERS
from bench.result import Result, Weighed
from bench.tables import figures, processes, ratios, table


def markdown(result: Result) -> Iterator[str]:
    """The lines; figures of several rounds are min / median / max."""
    options = result.options
    yield "# Benchmark"
    yield from (f"- {name}: {text}" for name, text in result.machine.items())
    yield (
        f"- {len(result.figures.rounds)} rounds of {options.seconds} s a load,"
        f" {options.callers} callers with a key each, {len(PROVIDERS) * options.callers} pools;"
        " min / median / max of the rounds"
    )
    failures = result.failures()
    if failures:
        yield from ("", "## FAILED", *(f"- {failure}" for failure in failures))
        return
    yield from _aims(result)
    for connections in options.connections:
        yield from ratios(result, connections)
        yield from figures(result, connections)
        yield from processes(result, connections)
    for system in result.systems:
        yield from _memory(system)
    if result.exact:
        yield from _exactness(result)


def _aims(result: Result) -> Iterator[str]:
    cores, loaded = len(result.options.server_cores), result.systems[0].loaded
    rows = [
        (a.name, a.aim, a.measured, "met" if a.met else "**missed**")
        for a in aims(result.figures, cores, loaded)
    ]
    if rows:
        yield from table("Aims", ("what", "aim", "measured", ""), rows)


def _memory(system: Weighed) -> Iterator[str]:
    rows = [
        (name, f"{idle.rss:.0f}", f"{idle.pss:.0f}", f"{after.rss:.0f}", f"{after.pss:.0f}")
        for name, idle, after in (
            *((name, system.idle[name], system.loaded[name]) for name in system.loaded),
            ("the services", services(system.idle), services(system.loaded)),
        )
    ]
    head = ("MiB", "RSS idle", "PSS idle", "RSS after load", "PSS after load")
    of = f", {system.label}" if system.label else ""
    yield from table(f"Memory{of}", head, rows)
    starts = ", ".join(f"{seconds:.1f} s" for seconds in system.starts)
    yield from ("", f"Start-up of `leaky up`{of}, on all cores, first on no data: {starts}")


def _exactness(result: Result) -> Iterator[str]:
    rows = [
        (name, str(each.answered), str(each.lost), str(each.slack), _verdict(each.comparable))
        for name, each in result.exact.items()
    ]
    head = ("tokens of one pool", "answered", "lost", "may differ by", "")
    yield from table("Exactness under load", head, rows)


def _verdict(comparable: bool) -> str:  # noqa: FBT001 only its word
    return "holds" if comparable else "the pool was renewed meanwhile"
