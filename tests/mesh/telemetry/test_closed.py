from collections.abc import Iterable, Iterator
from enum import StrEnum

import pytest
from prometheus_client import REGISTRY

from mesh.telemetry.closed import DECLARED, Closed
from mesh.telemetry.tally import Counter, Gauge, Histogram


class Ending(StrEnum):
    DONE = "done"
    FAILED = "failed"


@pytest.fixture
def counted() -> Iterator[Closed[Counter]]:
    labels: dict[str, Iterable[str]] = {"part": ("a", "b"), "ending": Ending}
    made = Closed(Counter, "test_closed_total", "A test's.", labels, spare={"part": "other"})
    yield made
    REGISTRY.unregister(made._metric)
    del DECLARED["test_closed_total"]


def sample(part: str, ending: str) -> float | None:
    return REGISTRY.get_sample_value("test_closed_total", {"part": part, "ending": ending})


def test_every_series_is_there_from_the_start(counted: Closed[Counter]) -> None:
    assert {sample(part, end) for part in ("a", "b", "other") for end in Ending} == {0.0}
    assert counted.labels == {"part": {"a", "b", "other"}, "ending": {"done", "failed"}}
    assert DECLARED["test_closed_total"] is counted


def test_a_child_is_looked_up_and_not_made(counted: Closed[Counter]) -> None:
    assert counted.of("a", Ending.DONE) is counted.of("a", "done")
    counted.of("a", "done").inc()
    assert (sample("a", "done"), sample("a", "failed")) == (1, 0)


def test_what_is_not_declared_is_the_spare_value_s(counted: Closed[Counter]) -> None:
    counted.of("aaaaaaaa-0000-4000-8000-000000000000", "failed").inc()
    assert sample("aaaaaaaa-0000-4000-8000-000000000000", "failed") is None
    assert sample("other", "failed") == 1


@pytest.mark.parametrize("values", [("a", "begun"), ("x", "begun"), ("a",), ("a", "done", "x")])
def test_without_a_spare_value_it_is_an_error(
    counted: Closed[Counter], values: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 its text is of no importance
        counted.of(*values)
    if len(values) == 2:
        assert sample(*values) is None


def test_settings_may_declare_more(counted: Closed[Counter]) -> None:
    before = counted.of("a", "done")
    counted.admit("part", ["a", "c"])
    assert counted.of("a", "done") is before
    assert (sample("c", "done"), sample("c", "failed")) == (0, 0)
    counted.of("c", "done").inc()
    assert (sample("c", "done"), sample("other", "done")) == (1, 0)


def test_gauges_and_histograms_are_closed_as_well() -> None:
    gauge = Closed(Gauge, "test_closed_gauge", "A test's.", {"kind": ("x",)})
    times = Closed(Histogram, "test_closed_seconds", "A test's.", {"kind": ("x",)}, buckets=(1, 2))
    gauge.of("x").set(3)
    times.of("x").observe(1.5)
    assert REGISTRY.get_sample_value("test_closed_gauge", {"kind": "x"}) == 3
    assert REGISTRY.get_sample_value("test_closed_seconds_bucket", {"kind": "x", "le": "2.0"}) == 1
    for made in (gauge, times):
        REGISTRY.unregister(made._metric)
        del DECLARED[made.name]
