"""All cases in turn, round after round, so that what disturbs one disturbs its neighbours."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count

from bench import client
from bench.cases import Case
from bench.measure import Measure, Sample, settle
from bench.plan import Plan

Rounds = list[list[Sample]]
_WARM_CONNECTIONS = 8
# A breaker that opened while services started lets few calls probe.
_PROBES = 20


def warm(cases: Sequence[Case], calls: int) -> None:
    """Fills caches and opens channels; one at a time first, then at once, as loads do.

    Raises RuntimeError when a case does not answer as it should, which wrk alone would
    not tell from other 2xx.
    """
    for case in reversed(cases):
        sound(case, connections=1, count=min(_PROBES, case.calls or len(case.requests)))
        many = min(case.calls, _WARM_CONNECTIONS) or max(calls, len(case.requests))
        sound(case, connections=_WARM_CONNECTIONS, count=many)
        settle(case)


def sound(case: Case, *, connections: int, count: int) -> None:
    """So many calls of it. Raises RuntimeError when one is not answered as it should be."""
    load = client.drive(
        Plan(port=case.port, requests=case.requests, connections=connections, count=count)
    )
    if load.problem:
        raise RuntimeError(f"{case.name}: {load.problem}")


def measured(
    cases: Sequence[Case],
    connections: Sequence[int],
    measure: Measure,
    enough: Callable[[Rounds], bool],
) -> Iterator[list[Sample]]:
    """The samples of each round until there are enough; every other round runs backwards."""
    rounds: Rounds = []
    order = [(case, many) for many in connections for case in cases]
    for number in count():
        rounds.append([measure(case, many) for case, many in order[:: -1 if number % 2 else 1]])
        yield rounds[-1]
        if enough(rounds):
            return
