"""Kafka's address, and what is told when nobody answers at it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.storage.kafka import REQUEST_SECONDS, servers_of
from mesh.storage.kafka_publisher import Record, open_publisher
from tests.ports import free_port

pytestmark = pytest.mark.anyio
RECORD = Record(topic="token-usage", key=b"user:1", value=b"{}")


@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("kafka://kafka:9092", ["kafka:9092"]),
        ("kafka://kafka", ["kafka:9092"]),
        ("kafka://10.0.0.1:19092,10.0.0.2:29092/", ["10.0.0.1:19092", "10.0.0.2:29092"]),
        ("kafka://[::1]:9092", ["[::1]:9092"]),
    ],
)
def test_an_address_names_brokers(url: str, servers: list[str]) -> None:
    assert servers_of(url) == servers


@pytest.mark.parametrize(
    "url",
    [
        "kafka://",
        "kafka://:9092",
        "kafka://one:9092,",
        "kafka://one:port",
        "kafka://one:99999",
        "kafka://one:9092/topic",
        "kafka://one:9092?acks=0",
        "kafka://somebody:hunter2@one:9092",
        "redis://one:9092",
    ],
)
def test_another_address_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT") as refusal:
        servers_of(url)
    assert "hunter2" not in str(refusal.value)
    assert "one" not in str(refusal.value)


async def test_a_broker_that_is_not_there_is_unavailable_at_once() -> None:
    async with open_publisher([f"127.0.0.1:{free_port()}"], ["token-usage"]) as publisher:
        for _ in range(3):
            async with asyncio.timeout(REQUEST_SECONDS / 2):
                with pytest.raises(AppError) as refusal:
                    await publisher.publish([RECORD])
            assert refusal.value.reason == REASON_UNAVAILABLE
            assert refusal.value.retry_after == 1.0


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """A port that accepts and never answers."""
    connections: list[asyncio.StreamWriter] = []
    listening = await asyncio.start_server(
        lambda _reader, writer: connections.append(writer), "127.0.0.1", 0
    )
    async with listening:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        for connection in connections:
            connection.close()
            await connection.wait_closed()


async def test_a_broker_that_never_answers_is_unavailable_in_time(silent: str) -> None:
    async with open_publisher([silent], ["token-usage"]) as publisher:
        async with asyncio.timeout(REQUEST_SECONDS * 2):
            with pytest.raises(AppError) as refusal:
                await publisher.publish([RECORD])
    assert refusal.value.reason == REASON_UNAVAILABLE
