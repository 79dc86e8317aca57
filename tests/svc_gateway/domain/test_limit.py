"""Which limit a path has, and how a verdict is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svc_gateway.domain.limit import Limit, Limits, Verdict

DEFAULT = Limit(name="default", capacity=120, window_us=60_000_000)


def limit(prefix: str, capacity: int) -> Limit:
    return Limit(name=prefix, capacity=capacity, window_us=60_000_000)


@pytest.mark.parametrize(
    ("path", "prefix", "expected"),
    [
        ("/api/v1/tokens", "/api/v1/tokens", True),
        ("/api/v1/tokens", "/api/v1/tokens/", True),
        ("/api/v1/tokens/quota", "/api/v1/tokens", True),
        ("/api/v1/tokens/quota", "/api/v1/tokens/", True),
        ("/api/v1/tokensale", "/api/v1/tokens", False),
        ("/api/v1", "/api/v1/tokens", False),
        ("/anything", "/", True),
    ],
)
def test_a_prefix_ends_at_a_slash(path: str, prefix: str, expected: object) -> None:
    limits = Limits(default=DEFAULT, routes=[limit(prefix, 1)], free=())
    assert (limits.of(path) == limit(prefix, 1)) is expected
    assert (Limits(default=DEFAULT, routes=(), free=[prefix]).of(path) is None) is expected


@pytest.mark.parametrize(
    ("name", "told"), [('a"b\\c', b'"a\\"b\\\\c"'), ("a\r\nb\N{EURO SIGN}", b'"ab"')]
)
def test_a_name_cannot_end_its_header(name: str, told: bytes) -> None:
    assert limit(name, 1).quoted == told


def test_the_longest_prefix_counts_whatever_the_order() -> None:
    short, long = limit("/api", 1), limit("/api/v1/tokens", 2)
    for routes in ([short, long], [long, short]):
        limits = Limits(default=DEFAULT, routes=routes, free=["/actuator/health"])
        assert limits.of("/api/v1/tokens/quota") == long
        assert limits.of("/api/v1/auth/login") == short
        assert limits.of("/elsewhere") == DEFAULT
        assert limits.of("/actuator/health/liveness") is None


@given(
    capacity=st.integers(1, 1000),
    count=st.integers(1, 2000),
    window_us=st.integers(1_000_000, 3_600_000_000),
    now_us=st.integers(0, 4_000_000_000_000_000),
)
def test_what_is_told_agrees_with_what_is_decided(
    capacity: int, count: int, window_us: int, now_us: int
) -> None:
    end_us = now_us - now_us % window_us + window_us
    rule = Limit(name="default", capacity=capacity, window_us=window_us)
    verdict = Verdict(limit=rule, count=count, now_us=now_us, end_us=end_us)
    headers = {name.decode(): value.decode() for name, value in verdict.headers()}
    assert verdict.allowed == (count <= capacity)
    assert int(headers["x-ratelimit-limit"]) == capacity
    remaining = int(headers["x-ratelimit-remaining"])
    assert remaining == max(0, capacity - count)
    reset = int(headers["x-ratelimit-reset"])
    assert (reset - 1) * 1_000_000 < end_us <= reset * 1_000_000
    wait = verdict.retry_after
    # Whoever waits as told is in the next window, and does not wait a second too long.
    assert now_us + wait * 1_000_000 >= end_us > now_us + (wait - 1) * 1_000_000
    assert headers["ratelimit"] == f'"default";r={remaining};t={wait}'
    assert headers["ratelimit-policy"] == f'"default";q={capacity};w={window_us // 1_000_000}'
