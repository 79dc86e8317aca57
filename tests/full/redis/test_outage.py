"""Redis goes away in every way that it can, and comes back: one client, no restart of ours."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.storage.redis import PATIENCE_SECONDS
from svc_token.domain.bucket import MICRO, BucketRule, Strategy, Taken
from svc_token.ports import Buckets
from svc_token.stores import BUCKETS
from tests.full.redis.conftest import FOUND_SECONDS
from tests.parts.redis import OwnRedis, certificate, own_redis
from tests.parts.urls import REDIS, url
from tests.ports import free_port
from tests.svc_token.conftest import HandClock

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(REDIS), reason="needs a Redis"),
]
# It does not drain while a test runs.
RULE = BucketRule(strategy=Strategy.LEAKY_BUCKET, capacity=1000, rate=1, window_us=MICRO)
KEY = "bucket:{a}:openai"
HOUR_US = 3600 * MICRO
FAST_SECONDS = 0.1


@pytest.fixture
async def buckets(own: OwnRedis) -> AsyncIterator[Buckets]:
    async with BUCKETS.open(own.url, clock=HandClock(), ttl_us=HOUR_US) as opened:
        yield opened


async def refused(buckets: Buckets) -> float:
    """The seconds that a refusal takes."""
    begun = time.monotonic()
    with pytest.raises(AppError) as error:
        await buckets.take(KEY, 1, RULE)
    assert (error.value.reason, error.value.retry_after) == (REASON_UNAVAILABLE, 1)
    return time.monotonic() - begun


async def found(buckets: Buckets) -> None:
    """Returns when Redis is found again, asking all the time."""
    async with asyncio.timeout(FOUND_SECONDS):
        while True:
            try:
                await buckets.peek(KEY, RULE)
            except AppError:
                await asyncio.sleep(0.01)
            else:
                return


def told(logs: Sequence[Any]) -> list[str]:
    return [entry["event"] for entry in logs if entry.get("store") == "buckets"]


async def test_a_redis_that_is_gone_is_refused_at_once_and_found_when_it_is_back(
    own: OwnRedis, buckets: Buckets
) -> None:
    assert (await buckets.take(KEY, 10, RULE)).used == 10
    with capture_logs() as logs:
        own.stop()
        waits = [await refused(buckets) for _ in range(100)]
        # Some may meet a busy machine, or be the ones that try.
        assert sorted(waits)[89] < FAST_SECONDS
        own.start()
        await found(buckets)
    # Nothing of it was kept, not even the script; and an outage is told of once.
    assert (await buckets.take(KEY, 10, RULE)).used == 10
    assert told(logs) == ["redis is away", "redis is back"]
    assert own.password not in str(logs)


async def test_a_connection_that_was_cut_between_calls_is_not_noticed(
    own: OwnRedis, buckets: Buckets
) -> None:
    await buckets.take(KEY, 10, RULE)
    # Aside, so that the loop hears of it as it would.
    await asyncio.to_thread(own.stop)
    await asyncio.to_thread(own.start)
    assert (await buckets.take(KEY, 10, RULE)).used == 10


async def test_a_redis_that_hangs_costs_nobody_more_than_a_moment(
    own: OwnRedis, buckets: Buckets
) -> None:
    await buckets.take(KEY, 10, RULE)
    own.freeze()
    begun = time.monotonic()
    answers = await asyncio.gather(
        *(buckets.take(KEY, 1, RULE) for _ in range(64)), return_exceptions=True
    )
    assert all(isinstance(answer, AppError) for answer in answers)
    assert time.monotonic() - begun < 2 * PATIENCE_SECONDS + FOUND_SECONDS
    while await refused(buckets) > FAST_SECONDS:
        pass
    own.thaw()
    await found(buckets)


async def test_a_take_whose_answer_was_lost_counts_once(own: OwnRedis, buckets: Buckets) -> None:
    await buckets.take(KEY, 10, RULE)
    own.freeze()
    await refused(buckets)
    own.thaw()
    await found(buckets)
    # It was in Redis' hands already.
    assert (await buckets.peek(KEY, RULE)).used == 11


async def test_a_script_that_redis_has_forgotten_is_brought_again(
    own: OwnRedis, buckets: Buckets
) -> None:
    with own.client() as client:
        for _ in range(5):
            await asyncio.gather(*(buckets.take(KEY, 1, RULE) for _ in range(20)))
            client.script_flush()
    assert (await buckets.peek(KEY, RULE)).used == 100


@pytest.mark.parametrize(
    ("sick", "well"),
    [
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
    ],
)
async def test_a_redis_that_may_not_write_is_away(
    own: OwnRedis, buckets: Buckets, sick: tuple[str, ...], well: tuple[str, ...]
) -> None:
    await buckets.take(KEY, 10, RULE)
    with own.client() as client, capture_logs() as logs:
        client.execute_command(*sick)
        for _ in range(3):
            await refused(buckets)
        client.execute_command(*well)
        assert (await buckets.take(KEY, 1, RULE)).used == 11
    assert told(logs) == ["redis is away", "redis is back"]


async def test_what_is_no_bucket_spoils_no_other(own: OwnRedis, buckets: Buckets) -> None:
    with own.client() as client:
        client.set(KEY, "gibberish")
    others = [buckets.take("bucket:{b}:openai", 1, RULE) for _ in range(5)]
    answers = await asyncio.gather(buckets.take(KEY, 1, RULE), *others, return_exceptions=True)
    assert isinstance(answers[0], AppError)
    assert not any(isinstance(answer, Exception) for answer in answers[1:])


async def test_a_wrong_password_is_away_and_shown_to_nobody(own: OwnRedis) -> None:
    address = own.url.replace(own.password, "swordfish")
    with capture_logs(processors=structlog.get_config()["processors"][:1]) as logs:
        async with BUCKETS.open(address, clock=HandClock(), ttl_us=HOUR_US) as buckets:
            await refused(buckets)
    assert told(logs) == ["redis is away"]
    assert "swordfish" not in str(logs)


async def test_every_bucket_ends(own: OwnRedis, buckets: Buckets) -> None:
    rule = replace(RULE, rate=MICRO)
    taken = await buckets.take(KEY, 1, rule)
    await buckets.refund("bucket:{b}:openai", 1, rule, taken=Taken(taken.at_us))
    await buckets.peek("bucket:{c}:openai", rule)
    with own.client() as client:
        keys = client.keys()
        assert sorted(keys) == [b"bucket:{a}:openai", b"bucket:{b}:openai"]
        assert all(0 < client.pttl(key) <= HOUR_US // 1000 for key in keys)


async def test_over_tls(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("tls")
    certificate(folder)
    files = (("cert-file", "cert"), ("key-file", "key"), ("ca-cert-file", "cert"))
    options = [part for name, file in files for part in (f"--tls-{name}", str(folder / file))]
    port = free_port()
    listening = ("--tls-port", str(port), "--tls-auth-clients", "no")
    with own_redis(folder / "data", *listening, *options) as server:
        address = f"rediss://:{server.password}@localhost:{port}/0"
        trusting = f"{address}?ssl_ca_certs={folder / 'cert'}"
        async with BUCKETS.open(trusting, clock=HandClock(), ttl_us=HOUR_US) as buckets:
            assert (await buckets.take(KEY, 1, RULE)).used == 1
        # A certificate that nobody vouches for is none.
        async with BUCKETS.open(address, clock=HandClock(), ttl_us=HOUR_US) as buckets:
            await refused(buckets)


@pytest.mark.parametrize("address", ["redis://:half/of-a-password@127.0.0.1", "redis://host:x/0"])
async def test_an_url_that_cannot_be_read_is_not_repeated(address: str) -> None:
    with pytest.raises(ValueError, match="no URL of a Redis") as error:
        async with BUCKETS.open(address, clock=HandClock(), ttl_us=HOUR_US):
            pass
    assert "half" not in str(error.value)
    assert error.value.__suppress_context__
