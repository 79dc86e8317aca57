"""All cases in turn, round after round, so that what disturbs one disturbs its neighbours."""

from collections.abc import Callable, Iterator, Sequence

from bench import client
from bench.cases import Case
from bench.measure import Drive, Sample, measure, settle
from bench.options import Options
from bench.plan import Plan

_WARM_CONNECTIONS = 8


def warm(cases: Sequence[Case], calls: int) -> None:
    """Makes pools, fills caches and opens channels; then the same at once, as loads do.

    Raises RuntimeError when a case does not answer 200, which wrk alone would
    not tell from other 2xx.
    """
    # A pool is made by its first consume, so reading it comes last.
    for case in reversed(cases):
        # One at a time first: a breaker that opened while services started lets few calls probe.
        all_200(case, connections=1, count=len(case.requests))
        all_200(case, connections=_WARM_CONNECTIONS, count=calls)
        settle(case)


def all_200(case: Case, *, connections: int, count: int) -> None:
    """So many calls of it. Raises RuntimeError when an answer is no 200."""
    load = client.drive(
        Plan(port=case.port, requests=case.requests, connections=connections, count=count)
    )
    if load.problem:
        raise RuntimeError(f"{case.name}: {load.problem}")


def measured(
    cases: Sequence[Case], options: Options, drive: Drive, tell: Callable[[str], None]
) -> Iterator[list[Sample]]:
    """The samples of each round; every other round runs backwards."""
    for number in range(options.rounds):
        tell(f"round {number + 1} of {options.rounds}")
        order = [(case, many) for many in options.connections for case in cases]
        if number % 2:
            order.reverse()
        yield [measure(case, many, options.seconds, drive) for case, many in order]
