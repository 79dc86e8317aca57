"""The order of loads, with a measure that only notes what it is asked."""

from collections.abc import Sequence
from typing import cast

import pytest

from bench.cases import Case
from bench.measure import Measure, Sample
from bench.plan import OK, Load, Request
from bench.rounds import Rounds, measured, sound
from tests.ports import free_ports

LOAD = Load(answered=1, refused=0, broken=0, seconds=1.0, p50_ms=1.0, p99_ms=1.0)
GET = Request(method="GET", path="/", status=OK)


def case(name: str, port: int = 1) -> Case:
    return Case(name=name, port=port, pids={}, requests=(GET,))


def noted(one: Case, connections: int) -> Sample:
    return Sample(
        case=one.name, connections=connections, load=LOAD, cpu_us={}, busy=0.0, settled=0.0
    )


def names(rounds: Sequence[Sequence[Sample]]) -> list[str]:
    return [" ".join(f"{each.case}{each.connections}" for each in samples) for samples in rounds]


def test_every_other_round_is_backwards_until_there_are_enough() -> None:
    def three(rounds: Rounds) -> bool:
        return len(rounds) == 3

    rounds = list(measured([case("a"), case("b")], (1, 16), cast("Measure", noted), three))
    assert names(rounds) == ["a1 b1 a16 b16", "b16 a16 b1 a1", "a1 b1 a16 b16"]


def test_a_case_that_is_not_answered_is_no_case() -> None:
    (port,) = free_ports(1)
    with pytest.raises(RuntimeError, match="status: no answers"):
        sound(case("status", port), connections=1, count=1)
