"""What `leaky doctor` says of Redis."""

from pathlib import Path

import pytest

from mesh.cli.doctor.finding import Finding, Level
from tests.full.doctor.looking import levels, look
from tests.parts.redis import own_redis
from tests.parts.urls import REDIS, url

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not url(REDIS), reason="no Redis runs")]
SAFE = ("--appendonly", "yes", "--maxmemory-policy", "noeviction")


async def looked(folder: Path, store: str) -> list[Finding]:
    return await look(folder, "token.bucket.store", LEAKY_TOKEN_BUCKET_STORE=store)


async def test_one_that_is_as_it_should_be(tmp_path: Path) -> None:
    found = await looked(tmp_path, url(REDIS))
    assert levels(found) == [Level.OK]
    assert found[0].what.startswith("Redis 7.")


async def test_a_port_where_nobody_is(tmp_path: Path) -> None:
    (found,) = await looked(tmp_path, "redis://:hidden-pw@127.0.0.1:1")
    assert found.level is Level.FAIL
    assert "no Redis answers at 127.0.0.1:1" in found.what
    assert "hidden-pw" not in repr(found)


@pytest.mark.parametrize("given", ["", ":wr0ng-pw@"])
async def test_a_wrong_password_and_none(tmp_path: Path, given: str) -> None:
    with own_redis(tmp_path) as server:
        (found,) = await looked(tmp_path, f"redis://{given}127.0.0.1:{server.port}")
    assert found.level is Level.FAIL
    assert "does not let us in" in found.what
    assert "LEAKY_TOKEN_BUCKET_STORE" in found.advice
    assert "wr0ng-pw" not in repr(found)


@pytest.mark.parametrize(
    ("options", "said", "advised"),
    [
        (("--appendonly", "no", "--save", ""), "forgets how full", "appendonly yes"),
        (("--appendonly", "no", "--save", "60 1"), "snapshots alone", "appendonly yes"),
        ((*SAFE[:2], "--maxmemory-policy", "allkeys-lru"), "allkeys-lru", "noeviction"),
        ((*SAFE, "--maxmemory", "1mb"), "of its maxmemory are used", "Raise maxmemory"),
    ],
)
async def test_one_that_forgets(
    tmp_path: Path, options: tuple[str, ...], said: str, advised: str
) -> None:
    with own_redis(tmp_path, *options) as server:
        _, found = await looked(tmp_path, server.url)
    assert found.level is Level.WARN
    assert said in found.what
    assert advised in found.advice


async def test_a_replica_takes_no_writes(tmp_path: Path) -> None:
    with own_redis(tmp_path, *SAFE, "--replicaof", "127.0.0.1 1") as server:
        (found, *_) = await looked(tmp_path, server.url)
    assert found.level is Level.FAIL
    assert "is a replica" in found.what
