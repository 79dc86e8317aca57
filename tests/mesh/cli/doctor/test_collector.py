import asyncio
from pathlib import Path

import pytest

from mesh.cli.doctor import collector
from mesh.cli.doctor.case import open_case
from mesh.cli.doctor.finding import Level
from tests.ports import free_port

pytestmark = pytest.mark.anyio


async def found(data: Path, endpoint: str) -> list[tuple[Level, str]]:
    env = {"LEAKY_DATA": str(data), "LEAKY_TRACING_ENDPOINT": endpoint}
    case, problems = open_case(env, ["gateway", "token"])
    assert not problems
    return [(one.level, one.what) for one in await collector.check(case)]


async def test_one_that_listens_is_found_once_for_all_services(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        told = await found(tmp_path, f"http://127.0.0.1:{port}")
    assert told == [(Level.OK, f"a collector listens at 127.0.0.1:{port}")]


async def test_one_that_is_away_is_a_warning_since_calls_work_without_it(tmp_path: Path) -> None:
    port = free_port()
    [(level, what)] = await found(tmp_path, f"http://127.0.0.1:{port}")
    assert (level, "traces are dropped" in what) == (Level.WARN, True)


async def test_where_nothing_is_traced_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert await found(tmp_path, "") == []
