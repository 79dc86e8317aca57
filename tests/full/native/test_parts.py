"""Each part keeps what it acknowledged when it is killed, and starts beside the shared one."""

import json
from pathlib import Path
from urllib.request import Request, urlopen

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from mesh.storage.kafka import ensure_topics, servers_of
from tests.parts.native import NativePart, native_part
from tests.parts.urls import CONSUL, KAFKA, POSTGRESQL, url

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(POSTGRESQL), reason="no real parts here"),
]
TOPIC = "kept"


def crash(part: NativePart) -> None:
    part.kill()
    part.start()
    assert part.status() == 0


async def test_postgresql() -> None:
    with native_part("postgresql") as part:
        part.start()
        connection = await asyncpg.connect(f"{part.url}/leaky_token")
        assert await connection.fetchval("show fsync") == "on"
        assert not await connection.fetchval("select usesuper from pg_user where usename = user")
        await connection.execute("create table kept (id int); insert into kept values (7)")
        connection.terminate()
        crash(part)
        connection = await asyncpg.connect(f"{part.url}/leaky_token")
        assert await connection.fetchval("select id from kept") == 7
        await connection.execute("create database another")
        await connection.close()


@pytest.mark.skipif(not url(KAFKA), reason="no Kafka here")
async def test_kafka() -> None:
    with native_part("kafka") as part:
        part.start()
        servers = servers_of(part.url)
        await ensure_topics(servers, [TOPIC])
        async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
            await producer.send_and_wait(TOPIC, b"yes")
        crash(part)
        reader = AIOKafkaConsumer(TOPIC, bootstrap_servers=servers, auto_offset_reset="earliest")
        async with reader:
            assert (await reader.getone()).value == b"yes"


def consul(part: NativePart, method: str, path: str, token: str = "", body: str = "") -> str:
    request = Request(
        f"http://127.0.0.1:{part.port}{path}",
        method=method,
        data=body.encode() or None,
        headers={"X-Consul-Token": token} if token else {},
    )
    with urlopen(request, timeout=10) as answer:  # noqa: S310
        return str(answer.read().decode())


@pytest.mark.skipif(not url(CONSUL), reason="no Consul here")
def test_consul() -> None:
    with native_part("consul") as part:
        told = part.start()
        token = Path(part.variables["PARTS_CONSUL_TOKEN_FILE"]).read_text()
        assert token not in told
        assert consul(part, "PUT", "/v1/kv/kept", token, "yes") == "true"
        # Nobody without a token sees it; the UI is there.
        assert "Permission denied" in consul_refusal(part, "/v1/kv/kept")
        assert "Consul" in consul(part, "GET", "/ui/")
        crash(part)
        assert consul(part, "GET", "/v1/kv/kept?raw", token) == "yes"
        assert json.loads(consul(part, "GET", "/v1/agent/self", token))["Config"]["Server"] is True
        assert token not in (part.folder / "consul" / "log").read_text()


def consul_refusal(part: NativePart, path: str) -> str:
    with pytest.raises(OSError, match="403") as refused:
        consul(part, "GET", path)
    return str(refused.value.read().decode())  # type: ignore[attr-defined]
