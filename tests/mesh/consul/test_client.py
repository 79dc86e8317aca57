import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mesh.consul.client import FAILURES, opened, within
from mesh.consul.kv import Kv
from mesh.settings import MeshSettings
from mesh.settings.remote import SourceAwayError
from mesh.settings.source import SettingsError, load

pytestmark = pytest.mark.anyio
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Consul-Index: 1\r\n\r\n<html>"


def settings(registry: str = "consul://127.0.0.1:1", **env: str) -> MeshSettings:
    return load(MeshSettings, {"LEAKY_REGISTRY": registry, **env}, {})


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(PAGE)
    await writer.drain()
    writer.close()


@asynccontextmanager
async def somebody_else() -> AsyncIterator[str]:
    """A server that answers every call with a page."""
    async with await asyncio.start_server(_answer, "127.0.0.1", 0) as server:
        yield f"consul://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_an_answer_that_is_no_json_is_as_good_as_none() -> None:
    async with somebody_else() as registry, opened(settings(registry), "token") as client:
        with pytest.raises(FAILURES):
            await within(client.agent.services())
        with pytest.raises(SourceAwayError):
            await Kv(client).folder("leaky/token")


async def test_a_token_that_is_given_makes_the_services_own_unneeded(tmp_path: Path) -> None:
    without = settings(LEAKY_TOKEN_CONSUL_TOKEN_FILE=str(tmp_path / "absent"))
    async with opened(without, "token", token="given") as client:
        assert client.token == "given"
    with pytest.raises(SettingsError):
        async with opened(without, "token"):
            pytest.fail("opened without the token that it is to show")
