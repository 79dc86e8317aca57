"""What Cassandra held is there again after a backup, in a keyspace made anew, row by row."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.policies import WhiteListRoundRobinPolicy

from svc_analytics.stores import SCHEMAS, STORES
from tests.full.cassandra.opening import opened
from tests.full.operations.scripts import script
from tests.full.operations.usage import EVENTS, told
from tests.parts.native import NativePart, native_part
from tests.parts.urls import CASSANDRA, url

pytestmark = pytest.mark.skipif(not url(CASSANDRA), reason="no real parts here")

KEYSPACE = "leaky_kept"
OURS = "leaky_ours"
DAYS = 90 * 86_400
SCHEMA = """
create keyspace leaky_kept with replication = {'class': 'SimpleStrategy', 'replication_factor': 1};
use leaky_kept;
create table usage (
    provider text, day date, shard int, at timestamp, event uuid,
    user text, tokens bigint, allowed boolean,
    primary key ((provider, day, shard), at, event)
) with clustering order by (at desc, event asc) and default_time_to_live = 7776000;
create table sums (provider text primary key, tokens bigint, users set<text>);
create table empty_one (id int primary key)
"""
INSERT = """
insert into leaky_kept.usage (provider, day, shard, at, event, user, tokens, allowed)
values ('openai', '2026-01-02', ?, ?, uuid(), ?, ?, ?)
"""
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def cassandra() -> Iterator[NativePart]:
    with native_part("cassandra") as part:
        part.start()
        yield part


@pytest.fixture(scope="module")
def session(cassandra: NativePart) -> Iterator[Session]:
    with connected(cassandra) as cluster:
        yield cluster.connect()


def connected(part: NativePart) -> Cluster:
    only = ExecutionProfile(WhiteListRoundRobinPolicy(["127.0.0.1"]), request_timeout=60)
    return Cluster(
        ["127.0.0.1"],
        port=part.port,
        protocol_version=5,
        connect_timeout=60,
        control_connection_timeout=60,
        execution_profiles={EXEC_PROFILE_DEFAULT: only},
    )


def write(session: Session) -> None:
    for statement in SCHEMA.split(";"):
        session.execute(statement)
    events = [
        (n % 4, START + timedelta(milliseconds=n), f"üser {n % 50}", n, n % 3 > 0)
        for n in range(3_000)
    ]
    insert = session.prepare(INSERT)
    for done, _ in execute_concurrent_with_args(session, insert, events, 20):
        assert done
    session.execute("insert into sums (provider, tokens, users) values ('qwen', 7, {'a', 'b'})")
    # What was deleted stays deleted.
    session.execute("insert into sums (provider, tokens) values ('gone', 1)")
    session.execute("delete from sums where provider = 'gone'")


def rows(session: Session) -> list[Any]:
    session.execute("use leaky_kept")
    usage = session.execute("select * from usage")
    return sorted(usage) + list(session.execute("select * from sums"))


def backup(
    part: NativePart, output: Path, keyspace: str = KEYSPACE
) -> "subprocess.CompletedProcess[str]":
    return script("backup-cassandra", str(part.folder), keyspace, str(output))


def restore(part: NativePart, backup: Path) -> "subprocess.CompletedProcess[str]":
    return script("restore-cassandra", str(part.folder), str(backup))


def test_every_row_comes_back(cassandra: NativePart, session: Session, tmp_path: Path) -> None:
    write(session)
    written = rows(session)
    assert len(written) == 3_001
    output = tmp_path / "backup"
    made = backup(cassandra, output)
    assert made.returncode == 0, made.stderr
    kept = {path: path.stat().st_size for path in output.rglob("*")}
    assert backup(cassandra, output).returncode == 1
    data = cassandra.folder / "cassandra" / "data" / "data" / KEYSPACE
    assert not list(data.glob("*/snapshots/*"))

    refused = restore(cassandra, output)
    assert refused.returncode == 1
    assert "'leaky_kept' already exists" in refused.stderr
    assert rows(session) == written

    session.execute("drop keyspace leaky_kept")
    done = restore(cassandra, output)
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows(session) == written
    lives = session.execute("select ttl(tokens) from usage limit 1").one()
    assert DAYS - 3_600 < lives[0] <= DAYS
    assert {path: path.stat().st_size for path in output.rglob("*")} == kept
    # The restored files are the node's own now.
    cassandra.kill()
    cassandra.start()
    with connected(cassandra) as again:
        assert rows(again.connect()) == written


def test_a_keyspace_that_is_not_there_leaves_nothing(cassandra: NativePart, tmp_path: Path) -> None:
    made = script("backup-cassandra", str(cassandra.folder), "no_such", str(tmp_path / "backup"))
    assert made.returncode == 1
    assert "no_such" in made.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.anyio
async def test_what_analytics_tells_is_the_same_on_its_own_tables(
    cassandra: NativePart, session: Session, tmp_path: Path
) -> None:
    store = f"{cassandra.url}/{OURS}"
    async with SCHEMAS.open(store) as schema:
        await schema.upgrade()
    async with opened(store) as before:
        assert await before.append(EVENTS) == len(EVENTS)
        await before.rollups.turn()
        written = await told(before)
    made = backup(cassandra, tmp_path / "backup", OURS)
    assert made.returncode == 0, made.stderr
    session.execute(f"drop keyspace {OURS}")
    done = restore(cassandra, tmp_path / "backup")
    assert done.returncode == 0, done.stdout + done.stderr

    async with SCHEMAS.open(store) as schema:
        assert await schema.current() == schema.newest
    async with STORES.open(store, retention_seconds=DAYS) as after:
        assert await told(after) == written
        # What comes again is known, and what is new is counted.
        assert await after.append([*EVENTS, replace(EVENTS[1], event_id=str(uuid4()))]) == 1
        assert await told(after) != written
