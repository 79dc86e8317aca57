import math

import pytest

from mesh.cli.top.look import Look
from tests.mesh.cli.top.exposition import Told, scraped


def test_rates_and_quantiles_are_of_what_came_since_the_scrape_before() -> None:
    told, look = Told(), Look()
    told.requested("/api/v1/tokens/quota", 5.0, times=100)
    first = look.frame([scraped(told, 10.0, service="gateway")], at="")
    assert first.instances[0].rest is None
    assert math.isnan(first.seconds)
    told.requested("/api/v1/tokens/quota", 0.05, times=6)
    told.requested("/api/v1/tokens/quota", 0.005, times=2, status="503")
    [row] = look.frame([scraped(told, 14.0, service="gateway")], at="").instances
    assert row.rest is not None
    assert (row.rest.rate, row.rest.errors) == (2.0, 0.25)
    # rank 4 of 8: 2 below 0.01, 6 between 0.01 and 0.1.
    assert row.rest.p50 == pytest.approx(0.01 + 0.09 * 2 / 6)
    assert row.rest.p99 <= 0.1


def test_who_watches_is_not_counted() -> None:
    told, look = Told(), Look()
    look.frame([scraped(told, 0.0)], at="")
    told.requested("/metrics", 0.05, times=10)
    told.requested("/actuator/health", 0.05, times=10)
    frame = look.frame([scraped(told, 2.0)], at="")
    assert frame.instances[0].rest is not None
    assert frame.instances[0].rest.rate == 0.0
    assert frame.routes == ()


def test_refusals_of_a_caller_are_no_errors_of_a_service() -> None:
    told, look = Told(), Look()
    look.frame([scraped(told, 0.0)], at="")
    codes = ("OK", "RESOURCE_EXHAUSTED", "NOT_FOUND", "PERMISSION_DENIED", "UNAVAILABLE")
    for code in codes:
        told.called("GetQuota", 0.05, code=code)
    [row] = look.frame([scraped(told, 1.0)], at="").instances
    assert row.grpc is not None
    assert (row.grpc.rate, row.grpc.errors) == (5.0, 0.2)


def test_what_is_refused_at_the_door_and_behind_it_is_shed() -> None:
    told, look = Told(), Look()
    look.frame([scraped(told, 0.0)], at="")
    told.shed.inc(2)
    told.refused.inc(6)
    [row] = look.frame([scraped(told, 2.0)], at="").instances
    assert row.shed == 4.0


def test_an_instance_that_was_started_again_counts_from_nothing() -> None:
    look, before, after = Look(), Told(), Told()
    before.gauge("process_start_time_seconds", 1.0)
    after.gauge("process_start_time_seconds", 2.0)
    before.called("GetQuota", 0.05, times=3)
    look.frame([scraped(before, 0.0)], at="")
    after.called("GetQuota", 0.05, times=4)
    [row] = look.frame([scraped(after, 2.0)], at="").instances
    assert row.grpc is not None
    assert row.grpc.rate == 2.0


def test_an_instance_that_does_not_answer_is_down_and_stays() -> None:
    told, look = Told(), Look()
    look.frame([scraped(told, 0.0), scraped(told, 0.0, service="auth")], at="")
    told.called("GetQuota", 0.05, times=4)
    frame = look.frame([scraped(told, 2.0), scraped(None, 2.0, service="auth")], at="")
    up, down = frame.instances
    assert (up.health, down.health, down.problem) == ("healthy", "down", "connection refused")
    assert [one.health for one in frame.services] == ["1 of 1", "0 of 1"]
    assert down.grpc is None


def test_the_instances_of_a_service_are_added_up() -> None:
    one, other, look = Told(), Told(), Look()
    pair = [scraped(one, 0.0, name="token"), scraped(other, 0.0, name="token.2")]
    look.frame(pair, at="")
    one.called("GetQuota", 0.005, times=30)
    other.called("GetQuota", 0.5, times=30)
    # Scraped a little apart, so their rates are of windows of their own.
    pair = [scraped(one, 2.0, name="token"), scraped(other, 3.0, name="token.2")]
    frame = look.frame(pair, at="")
    rates = [row.grpc.rate for row in (*frame.instances, *frame.services) if row.grpc]
    assert rates == pytest.approx([15.0, 10.0, 25.0])
    whole = frame.services[0].grpc
    assert whole is not None
    assert whole.p50 < 0.01
    assert whole.p95 > 0.1


def test_what_each_process_tells_of_the_store_is_told_once() -> None:
    one, other, look = Told(), Told(), Look()
    for told, depth, low in ((one, 7, 3), (other, 5, 4)):
        told.gauge("outbox_depth", depth)
        told.gauge("outbox_parked", math.nan)
        told.gauge("token_pools_low", low, provider="openai")
        told.gauge("token_pools_overdrawn", 0)
        told.gauge("saga_unfinished", depth, step="capture")
        told.gauge("saga_stale", 1)
        told.gauge("breaker_state", 0 if told is one else 2, name="auth")
    frame = look.frame([scraped(one, 0.0), scraped(other, 0.0, name="token.2")], at="")
    assert (frame.outbox_depth, frame.pools_low, frame.pools_overdrawn) == (7.0, {"openai": 4}, 0)
    assert (frame.sagas_unfinished, frame.sagas_stale) == ({"capture": 7.0}, 1.0)
    assert math.isnan(frame.outbox_parked)
    assert math.isnan(frame.outbox_lag)
    assert [(one.instance, one.name, one.state) for one in frame.breakers] == [
        ("token.2", "auth", "open")
    ]
    assert frame.breakers_closed == 1


def test_routes_are_the_paths_of_the_edge_and_the_rpcs_behind_it_the_busiest_first() -> None:
    edge, token, look = Told(), Told(), Look()
    edge_then = [scraped(edge, 0.0, service="gateway"), scraped(token, 0.0)]
    look.frame(edge_then, at="")
    edge.requested("/api/v1/tokens/quota", 0.05, times=2)
    token.requested("/api/v1/tokens/quota", 0.05, times=50)
    token.called("GetQuota", 0.05, times=4)
    frame = look.frame([scraped(edge, 2.0, service="gateway"), scraped(token, 2.0)], at="")
    assert [(one.service, one.name, one.calls.rate) for one in frame.routes] == [
        ("token", "QuotaService/GetQuota", 2.0),
        ("gateway", "GET /api/v1/tokens/quota", 1.0),
    ]
