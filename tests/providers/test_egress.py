import asyncio
import gzip
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prometheus_client import REGISTRY

from leaky.token.v1 import consume_service_pb2
from mesh.rpc.call import CURRENT, Call
from mesh.rpc.method import methods_of
from mesh.settings.source import load
from providers.attempt import MAX_BYTES, retry_after
from providers.egress import RESERVE_SECONDS, ProviderCallFailed, Providers
from tests.ports import free_port
from tests.providers.doubles import (
    BODY,
    PROMPT,
    Clock,
    Double,
    Settings,
    Slow,
    calling,
    cut_short,
    fails,
    hangs,
    says,
)

pytestmark = pytest.mark.anyio


async def test_the_answer_comes_back_byte_for_byte() -> None:
    async with calling(Double(says(200))) as call:
        assert await call() == BODY


@pytest.mark.parametrize(
    ("provider", "path", "header", "body"),
    [
        (
            "openai",
            "/v1/chat/completions",
            ("authorization", "Bearer key-1"),
            {
                "model": "m-1",
                "messages": [{"role": "user", "content": PROMPT}],
                "max_completion_tokens": 30,
            },
        ),
        (
            "gemini",
            "/v1beta/models/m-1:generateContent",
            ("x-goog-api-key", "key-1"),
            {
                "contents": [{"role": "user", "parts": [{"text": PROMPT}]}],
                "generationConfig": {"maxOutputTokens": 30},
            },
        ),
        (
            "qwen",
            "/api/v1/services/aigc/text-generation/generation",
            ("authorization", "Bearer key-1"),
            {
                "model": "m-1",
                "input": {"messages": [{"role": "user", "content": PROMPT}]},
                "parameters": {"max_tokens": 30, "result_format": "message"},
            },
        ),
    ],
)
async def test_each_provider_is_spoken_to_in_its_own_format(
    provider: str, path: str, header: tuple[str, str], body: dict[str, Any]
) -> None:
    double = Double(says(200))
    own = {f"providers.{provider}.model": "m-1", f"providers.{provider}.api-key": "key-1"}
    async with calling(double, provider, None, **own) as call:
        await call()
    (request,) = double.requests
    assert request.method == "POST"
    assert request.url.path == path
    assert request.headers[header[0]] == header[1]
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-client-request-id"] == "r-1"
    assert json.loads(await request.body()) == body


async def test_without_a_key_none_is_sent() -> None:
    double = Double(says(200))
    async with calling(double) as call:
        await call()
    assert "authorization" not in double.requests[0].headers


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_passing_trouble_is_tried_again(status: int) -> None:
    double = Double(says(status), says(status), says(200))
    async with calling(double) as call:
        assert await call() == BODY
    assert len(double.requests) == 3


@pytest.mark.parametrize("status", [201, 301, 400, 401, 404, 500, 501])
async def test_any_other_status_is_not(status: int) -> None:
    double = Double(says(status))
    async with calling(double) as call:
        assert await fails(call) == f"HTTP status {status}"
    assert len(double.requests) == 1


async def test_three_tries_are_all() -> None:
    double = Double(says(503))
    async with calling(double) as call:
        assert await fails(call) == "HTTP status 503"
    assert len(double.requests) == 3


async def test_between_tries_it_waits() -> None:
    double = Double(says(503), says(200))
    async with calling(double, provider__retry_wait="120ms") as call:
        await call()
    assert double.times[1] - double.times[0] >= 0.12


async def test_retry_after_is_honoured_when_it_fits() -> None:
    double = Double(says(429, retry_after="1"), says(200))
    async with calling(double) as call:
        await call()
    assert double.times[1] - double.times[0] >= 1


async def test_retry_after_that_does_not_fit_ends_the_call_at_once() -> None:
    double = Double(says(429, retry_after="60"))
    async with calling(double, provider__timeout="50s") as call:
        started = time.monotonic()
        assert await fails(call) == "HTTP status 429"
    assert time.monotonic() - started < 20
    assert len(double.requests) == 1


def test_retry_after_reads_seconds_and_dates_and_nothing_else() -> None:
    now_us = 1_700_000_000_000_000  # Tue, 14 Nov 2023 22:13:20 GMT
    assert retry_after("7", now_us) == 7
    assert retry_after("Tue, 14 Nov 2023 22:13:50 GMT", now_us) == 30
    assert retry_after("Tue, 14 Nov 2023 22:13:00 GMT", now_us) == 0
    assert retry_after("soon", now_us) == 0
    assert retry_after("", now_us) == 0
    assert retry_after("-5", now_us) == 0
    assert retry_after("²", now_us) == 0
    # A year, and an offset, that no machine has numbers for.
    assert retry_after("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", now_us) == 0
    assert retry_after("Mon, 01 Jan 2024 00:00:00 +99999999999999999999", now_us) == 0


async def test_nobody_listening_is_tried_again_and_then_a_failure() -> None:
    closed = f"http://127.0.0.1:{free_port()}"
    async with calling(
        Double(says(200)), "openai", None, **{"providers.openai.base-url": closed}
    ) as call:
        assert "ClientConnectorError" in await fails(call)


def given(cause: str) -> float:
    """The seconds that the last try had."""
    told = re.fullmatch(r"no answer within ([0-9.]+) s", cause)
    assert told
    return float(told[1])


async def test_a_hang_ends_within_the_timeout() -> None:
    double = Double(hangs)
    async with calling(double, provider__timeout="1s") as call:
        started = time.monotonic()
        assert 0 < given(await fails(call)) <= 1
        took = time.monotonic() - started
    assert 0.99 <= took < 20
    assert len(double.requests) == 1


async def test_the_timeout_covers_tries_and_waits_together() -> None:
    double = Double(says(503), hangs)
    async with calling(double, provider__timeout="2s", provider__retry_wait="500ms") as call:
        started = time.monotonic()
        assert 0 < given(await fails(call)) <= 2 - 0.5
        took = time.monotonic() - started
    assert took < 20
    assert len(double.requests) == 2


@contextmanager
def deadline_in(seconds: float) -> Iterator[None]:
    """As if a call being served had so much time left."""
    (service,) = consume_service_pb2.DESCRIPTOR.services_by_name.values()
    deadline = asyncio.get_running_loop().time() + seconds
    call = Call(method=methods_of(service)[0], metadata={}, deadline=deadline)
    token = CURRENT.set(call)
    try:
        yield
    finally:
        CURRENT.reset(token)


async def test_the_callers_deadline_is_shorter_and_leaves_time_to_give_back() -> None:
    async with calling(Double(hangs), provider__timeout="30s") as call:
        with deadline_in(2):
            cause = await fails(call)
    assert 0 < given(cause) <= 2 - RESERVE_SECONDS


async def test_no_time_left_is_a_failure_without_a_call() -> None:
    double = Double(says(200))
    async with calling(double) as call:
        with deadline_in(0.05):
            assert await fails(call) == "no time left"
    assert not double.requests


async def test_an_answer_cut_in_the_middle_is_not_asked_for_again() -> None:
    double = Double(cut_short)
    async with calling(double) as call:
        assert "in the middle of the answer" in await fails(call)
    assert len(double.requests) == 1


@pytest.mark.parametrize(
    "body", [b"", b"[1]", b'"text"', b"{", b'{"a":NaN}', b'{"a":"\xff"}', b"<html>", b"{}{}"]
)
async def test_what_is_no_json_object_is_a_failure(body: bytes) -> None:
    double = Double(says(200, body))
    async with calling(double) as call:
        assert await fails(call) == "the answer is no JSON object"
    assert len(double.requests) == 1


async def test_an_answer_may_be_one_mebibyte_and_not_more() -> None:
    largest = b'{"a":"' + b"x" * (MAX_BYTES - 8) + b'"}'
    async with calling(Double(says(200, largest), says(200, largest + b" "))) as call:
        assert await call() == largest
        assert "larger than 1 MiB" in await fails(call)


async def test_a_small_answer_that_unpacks_to_a_large_one_is_refused() -> None:
    bomb = gzip.compress(b'{"a":"' + b"x" * (20 * MAX_BYTES) + b'"}')
    async with calling(Double(says(200, bomb, content_encoding="gzip"))) as call:
        assert "larger than 1 MiB" in await fails(call)


async def test_an_unknown_and_a_disabled_provider_are_not_called() -> None:
    settings = load(Settings, {}, {"providers.qwen.enabled": "false"})
    providers = Providers(lambda: settings)
    assert not providers.known("nobody")
    assert providers.known("qwen")
    for name in ("nobody", "qwen"):
        with pytest.raises(ProviderCallFailed):
            await providers.complete(name, prompt=None, tokens=1, request_id="")
    await providers.close()
    assert not REGISTRY.get_sample_value(
        "provider_call_seconds_count", {"provider": "nobody", "outcome": "open"}
    )


BREAKER = {
    "provider.retries": "1",
    "provider.breaker.window": "4",
    "provider.breaker.min-calls": "4",
    "provider.breaker.open": "10s",
}


async def test_failures_open_the_breaker_and_probes_close_it() -> None:
    clock = Clock()
    double = Double(*[says(500)] * 4, says(200))
    async with calling(double, "openai", clock, **BREAKER) as call:
        for _ in range(4):
            await fails(call)
        assert await fails(call) == "the breaker is open"
        assert len(double.requests) == 4
        assert REGISTRY.get_sample_value("breaker_state", {"name": "provider:openai"}) == 2
        clock.now += 10
        for _ in range(3):
            assert await call() == BODY
        assert REGISTRY.get_sample_value("breaker_state", {"name": "provider:openai"}) == 0


async def test_client_errors_never_open_the_breaker() -> None:
    double = Double(*[says(401)] * 8, says(200))
    async with calling(double, "openai", Clock(), **BREAKER) as call:
        for _ in range(8):
            assert await fails(call) == "HTTP status 401"
        assert await call() == BODY


async def test_too_many_requests_do_open_it() -> None:
    async with calling(Double(says(429)), "openai", Clock(), **BREAKER) as call:
        for _ in range(4):
            await fails(call)
        assert await fails(call) == "the breaker is open"


async def test_hangs_open_it() -> None:
    double = Double(hangs)
    # A try that comes so late that it has less than half of it does not count.
    async with calling(double, "openai", Clock(), **BREAKER, provider__timeout="400ms") as call:
        for _ in range(4):
            await fails(call)
        assert await fails(call) == "the breaker is open"


async def test_callers_that_go_away_do_not() -> None:
    slow = Slow()
    async with calling(Double(slow), "openai", Clock(), **BREAKER) as call:
        tasks = [asyncio.ensure_future(call()) for _ in range(8)]
        await until(lambda: slow.inside == 8)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        slow.door.set()
        assert await call() == BODY


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 the other side is a real server
            await asyncio.sleep(0.002)


async def test_the_bulkhead_lets_so_many_in_and_the_others_wait() -> None:
    slow = Slow()
    async with calling(Double(slow), provider__bulkhead="2") as call:
        tasks = [asyncio.ensure_future(call()) for _ in range(6)]
        await until(lambda: slow.inside == 2)
        slow.door.set()
        assert await asyncio.gather(*tasks) == [BODY] * 6
    assert slow.most == 2


async def test_who_waits_for_a_slot_longer_than_there_is_time_fails() -> None:
    slow = Slow()
    async with calling(Double(slow), provider__bulkhead="1", provider__timeout="60s") as call:
        first = asyncio.ensure_future(call())
        await until(lambda: slow.inside == 1)
        with deadline_in(2):
            assert await fails(call) == "bulkhead: no slot came free in time"
        slow.door.set()
        assert await first == BODY
        assert await call() == BODY
    assert slow.most == 1


async def test_connections_are_kept() -> None:
    double = Double(says(200))
    async with calling(double) as call:
        for _ in range(3):
            await call()
    assert len({request.client for request in double.requests}) == 1
