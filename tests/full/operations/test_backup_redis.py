"""What Redis held is there again after a backup, in an empty data folder, value by value."""

import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.full.operations.scripts import script
from tests.parts.native import NativePart, native_part
from tests.parts.urls import REDIS, url

pytestmark = pytest.mark.skipif(not url(REDIS), reason="no real parts here")

LIBRARY = """#!lua name=kept
redis.register_function('answer', function() return 42 end)"""


@pytest.fixture
def redis() -> Iterator[NativePart]:
    with native_part("redis") as part:
        part.start()
        yield part


def backup(part: NativePart, output: Path) -> "subprocess.CompletedProcess[str]":
    return script("backup-redis", str(output), REDIS_URL=part.url)


def write(client: Any) -> None:
    with client.pipeline(transaction=False) as pipeline:
        for n in range(5_000):
            pipeline.set(f"text:{{{n}}}", f"ü{n}")
            pipeline.hset(f"bucket:{{{n}}}", mapping={"level": n / 7, "at": n})
        pipeline.zadd("window", {str(n): n for n in range(1_000)})
        pipeline.rpush("list", *range(1_000))
        pipeline.execute()
    client.set("passing", "by", ex=3_600)
    client.function_load(LIBRARY)


def everything(client: Any) -> dict[bytes, bytes]:
    keys = client.keys("*")
    with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.dump(key)
        return dict(zip(keys, pipeline.execute(), strict=True))


def test_every_value_comes_back_in_an_empty_folder(redis: NativePart, tmp_path: Path) -> None:
    data = redis.folder / "redis" / "data"
    with Redis.from_url(redis.url) as client, Redis.from_url(f"{redis.url}/3") as third:
        write(client)
        third.set("of", "another database")
        written, apart = everything(client), everything(third)
        assert len(written) == 10_003
        made = backup(redis, tmp_path / "backup")
        assert made.returncode == 0, made.stderr
        client.set("later", "than the backup")

    redis.stop()
    data.rename(redis.folder / "before")
    done = script("restore-redis", str(tmp_path / "backup"), str(data))
    assert done.returncode == 0, done.stderr
    redis.start()
    with Redis.from_url(redis.url) as client, Redis.from_url(f"{redis.url}/3") as third:
        assert everything(client) == written
        assert everything(third) == apart
        assert 3_000 < client.ttl("passing") <= 3_600
        assert client.fcall("answer", 0) == 42
        client.set("after", "the restore")
    redis.kill()
    redis.start()
    with Redis.from_url(redis.url) as client:
        assert client.get("after") == b"the restore"
        assert client.dbsize() == 10_004


def test_a_folder_that_holds_data_is_refused(redis: NativePart, tmp_path: Path) -> None:
    with Redis.from_url(redis.url) as client:
        client.set("kept", "yes")
        backup(redis, tmp_path / "backup")
        client.set("since", "then")
    redis.stop()
    data = redis.folder / "redis" / "data"
    refused = script("restore-redis", str(tmp_path / "backup"), str(data))
    assert refused.returncode == 1
    assert "is not empty" in refused.stderr
    redis.start()
    with Redis.from_url(redis.url) as client:
        assert client.get("since") == b"then"


def test_a_backup_replaces_nothing(redis: NativePart, tmp_path: Path) -> None:
    output = tmp_path / "backup"
    assert backup(redis, output).returncode == 0
    first = (output / "dump.rdb").stat()
    again = backup(redis, output)
    assert again.returncode == 1
    assert "there already" in again.stderr
    assert (output / "dump.rdb").stat() == first


def test_a_refused_backup_leaves_nothing_and_shows_no_password(
    redis: NativePart, tmp_path: Path
) -> None:
    wrong = f"redis://:wrong-word@127.0.0.1:{redis.port}"
    made = script("backup-redis", str(tmp_path / "backup"), REDIS_URL=wrong)
    assert made.returncode == 1
    assert "wrong-word" not in made.stdout + made.stderr
    assert not list(tmp_path.iterdir())


def test_a_damaged_backup_is_refused(redis: NativePart, tmp_path: Path) -> None:
    with Redis.from_url(redis.url) as client:
        client.set("some", "thing")
    backup(redis, tmp_path / "backup")
    dump = tmp_path / "backup" / "dump.rdb"
    dump.write_bytes(dump.read_bytes()[:-9])
    refused = script("restore-redis", str(tmp_path / "backup"), str(tmp_path / "data"))
    assert refused.returncode == 1
    assert "damaged" in refused.stderr
    assert not (tmp_path / "data").exists()


def test_a_url_that_says_tls_is_never_spoken_to_in_the_clear(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as pool:
        server.settimeout(30)
        first = pool.submit(_first_bytes, server)
        address = f"rediss://:hunter2@127.0.0.1:{server.getsockname()[1]}"
        failed = script("backup-redis", str(tmp_path / "b"), REDIS_URL=address)
        said = first.result()
    assert failed.returncode == 1
    # A record of TLS that holds a handshake (RFC 8446, 5.1).
    assert said[:1] == b"\x16"


def _first_bytes(server: socket.socket) -> bytes:
    connection, _ = server.accept()
    with connection:
        return connection.recv(4096)
