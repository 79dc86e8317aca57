"""What PostgreSQL held is there again after a backup, on another server, row by row."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.full.operations.scripts import script
from tests.parts.native import NativePart, native_part
from tests.parts.urls import POSTGRESQL, url

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(POSTGRESQL), reason="no real parts here"),
]

DATABASES = ("leaky_analytics", "leaky_auth", "leaky_stubs", "leaky_token")
TABLES = """
create table pools (
    id uuid primary key default gen_random_uuid(),
    owner text not null,
    remaining bigint not null check (remaining >= 0),
    ratio double precision, raw bytea, detail jsonb, at timestamptz not null default now()
);
create unique index pools_by_owner on pools (owner);
create table ledger (
    id bigserial primary key, pool uuid not null references pools, tokens bigint not null
);
insert into pools (owner, remaining, ratio, raw, detail)
    select 'user ' || n || ' ü''"\\', n * 7919, n / 3.0, decode(md5(n::text), 'hex'),
        jsonb_build_object('n', n, 'text', null)
    from generate_series(1, 5000) n;
insert into ledger (pool, tokens) select id, remaining % 1000 from pools;
"""


@pytest.fixture(scope="module")
def old() -> Iterator[NativePart]:
    with native_part("postgresql") as part:
        part.start()
        yield part


@pytest.fixture(scope="module")
def new() -> Iterator[NativePart]:
    with native_part("postgresql") as part:
        part.start()
        yield part


async def rows(part: NativePart) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(f"{part.url}/leaky_token")
    try:
        queries = ("select * from pools order by owner", "select * from ledger order by id")
        return [tuple(row) for query in queries for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def execute(part: NativePart, database: str, statement: str) -> None:
    connection = await asyncpg.connect(f"{part.url}/{database}")
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def backup(part: NativePart, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return script("backup-postgresql", *arguments, POSTGRESQL_URL=part.url)


def restore(part: NativePart, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return script("restore-postgresql", *arguments, POSTGRESQL_URL=part.url)


async def test_every_row_comes_back_on_another_server(
    old: NativePart, new: NativePart, tmp_path: Path
) -> None:
    await execute(old, "leaky_token", TABLES)
    written = await rows(old)
    assert len(written) == 10_000
    output = tmp_path / "backup"

    made = backup(old, str(output))
    assert made.returncode == 0, made.stderr
    assert sorted(dump.stem for dump in output.iterdir()) == list(DATABASES)
    # Missing on the new server: it is made there.
    await execute(new, "postgres", "drop database leaky_token")
    done = restore(new, str(output))
    assert done.returncode == 0, done.stderr
    assert await rows(new) == written
    # The keys, checks and sequences too, not only the rows.
    await execute(
        new, "leaky_token", "insert into ledger (pool, tokens) select id, 1 from pools limit 1"
    )
    with pytest.raises(asyncpg.CheckViolationError):
        await execute(new, "leaky_token", "update pools set remaining = -1")

    held = await rows(new)
    again = restore(new, str(output))
    assert again.returncode == 1
    assert "leaky_token holds tables already" in again.stderr
    assert await rows(new) == held


def test_a_backup_replaces_nothing(old: NativePart, tmp_path: Path) -> None:
    output = tmp_path / "backup"
    output.mkdir()
    (output / "kept").write_text("as it was")
    made = backup(old, str(output))
    assert made.returncode == 1
    assert "there already" in made.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["backup", "kept"]


def test_half_a_backup_is_none(old: NativePart, tmp_path: Path) -> None:
    made = backup(old, str(tmp_path / "backup"), "leaky_auth", "no_such_database")
    assert made.returncode != 0
    assert not list(tmp_path.iterdir())


def test_no_password_is_shown(old: NativePart, tmp_path: Path) -> None:
    made = backup(old, str(tmp_path / "backup"), "leaky_auth")
    password = (old.folder / "postgresql" / "password").read_text()
    assert password not in made.stdout + made.stderr


def test_a_url_with_options_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    refused = script(
        "backup-postgresql",
        str(tmp_path / "b"),
        POSTGRESQL_URL="postgresql://ada:hunter2@127.0.0.1:1/db?sslmode=require",
    )
    assert refused.returncode == 1
    assert "PGSSLMODE" in refused.stderr
    assert "hunter2" not in refused.stderr
