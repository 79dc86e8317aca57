import math

import pytest

from mesh.cli.top.samples import parse
from tests.mesh.cli.top.exposition import Told


def test_every_sample_is_found_by_its_name_and_labels() -> None:
    told = Told()
    told.requested("/a", 0.05, times=3)
    told.gauge("outbox_depth", math.nan)
    samples = told.samples
    counts = samples.of("http_server_requests_seconds_count")
    labels = frozenset({("uri", "/a"), ("method", "GET"), ("status", "200")})
    assert counts == {labels: 3.0}
    bounds = {dict(one)["le"] for one in samples.of("http_server_requests_seconds_bucket")}
    assert bounds == {"0.01", "0.1", "1.0", "+Inf"}
    assert math.isnan(samples.of("outbox_depth")[frozenset()])
    assert samples.of("nothing") == {}


def test_labels_may_hold_quotes_commas_and_braces() -> None:
    told = Told()
    told.gauge("breaker_state", 2, name='a="b",{c}\\d')
    assert told.samples.of("breaker_state") == {frozenset({("name", 'a="b",{c}\\d')}): 2.0}


def test_when_a_process_began_is_told_where_it_tells() -> None:
    told = Told()
    assert told.samples.started == 0.0
    told.gauge("process_start_time_seconds", 1767225600.25)
    assert told.samples.started == 1767225600.25


@pytest.mark.parametrize(
    "text", ["<html><body>no</body></html>", "a b c d", 'a{b="c} 1', "a one", "{} 1", 'a{"} 1']
)
def test_what_is_no_exposition_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not Prometheus' text format"):
        parse(text)
