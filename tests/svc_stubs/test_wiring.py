"""The service as `leaky serve stubs` runs it, on ports of its own."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from leaky.common.v1.reason_pb2 import REASON_PROVIDER_NOT_FOUND
from leaky.provider.v1 import chat_service_pb2, payment_service_pb2
from leaky.provider.v1.payment_pb2 import PAYMENT_STATE_AUTHORIZED
from mesh.errors import AppError
from mesh.rpc.grpc_channel import GrpcChannel
from mesh.rpc.method import rpc
from mesh.runtime import running
from mesh.settings import Live
from mesh.settings.source import FILE
from svc_stubs.settings import StubsSettings
from svc_stubs.wiring import SERVICE
from tests.ports import free_ports

pytestmark = pytest.mark.anyio
NAMES = ("qwen", "gemini", "openai")
HTTP_PORTS = [f"LEAKY_STUBS_{name.upper()}_HTTP_PORT" for name in NAMES]
CHAT = rpc(chat_service_pb2.ChatRequest, chat_service_pb2.ChatResponse)
AUTHORIZE = rpc(
    payment_service_pb2.AuthorizePaymentRequest, payment_service_pb2.AuthorizePaymentResponse
)


@pytest.fixture
async def settings(tmp_path: Path) -> AsyncIterator[StubsSettings]:
    """The settings of the service that runs; there is no svc_auth to wait for."""
    names = [*HTTP_PORTS, "LEAKY_STUBS_GRPC_PORT"]
    ports = dict(zip(names, map(str, free_ports(len(names))), strict=True))
    env = {"LEAKY_DATA": str(tmp_path), "LEAKY_MESH_AUTH_WAIT": "0", **ports}
    live = Live.read(StubsSettings, env)
    async with running(SERVICE, live):
        yield live.current


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as opened:
        yield opened


@pytest.fixture
async def channel(settings: StubsSettings) -> AsyncIterator[GrpcChannel]:
    opened = GrpcChannel(f"127.0.0.1:{settings.stubs.grpc_port}")
    yield opened
    await opened.close()


def url(settings: StubsSettings, name: str) -> str:
    return f"http://127.0.0.1:{settings.http_port(name)}"


async def test_each_port_answers_the_documented_chat_and_is_healthy(
    settings: StubsSettings, client: httpx.AsyncClient
) -> None:
    for name in NAMES:
        chat = await client.post(
            f"{url(settings, name)}/api/v1/{name}/chat", json={"prompt": "hello"}
        )
        assert chat.status_code == 200
        assert set(chat.json()) == {"id", "provider", "received", "created", "message"}
        assert chat.json()["received"] == "hello"
        health = await client.get(f"{url(settings, name)}/actuator/health")
        assert health.json()["status"] == "UP"


@pytest.mark.parametrize(
    ("path", "content", "refusal"),
    [
        ("/api/v1/claude/chat", b'{"prompt":"x"}', (404, "PROVIDER_NOT_FOUND")),
        ("/api/v1/openai/chat", b"{", (400, "MALFORMED_JSON")),
        ("/api/v1/openai/chat", b"{}", (400, "INVALID_ARGUMENT")),
    ],
)
async def test_refusals_have_the_documented_body(
    settings: StubsSettings,
    client: httpx.AsyncClient,
    path: str,
    content: bytes,
    refusal: tuple[int, str],
) -> None:
    response = await client.post(
        url(settings, "openai") + path,
        content=content,
        headers={"content-type": "application/json"},
    )
    assert (response.status_code, response.json()["reason"]) == refusal


async def test_chat_and_payments_answer_over_grpc(channel: GrpcChannel) -> None:
    request = chat_service_pb2.ChatRequest(provider="gemini", body=b'{"prompt":"x"}')
    answer = await channel.unary(CHAT, request, timeout=5)
    assert json.loads(answer.body)["message"] == "Stubbed Gemini response"
    with pytest.raises(AppError) as missing:
        await channel.unary(
            CHAT, chat_service_pb2.ChatRequest(provider="claude", body=b"{}"), timeout=5
        )
    assert missing.value.reason == REASON_PROVIDER_NOT_FOUND
    hold = payment_service_pb2.AuthorizePaymentRequest(id=str(UUID(int=1)), tokens=3)
    held: Any = await channel.unary(AUTHORIZE, hold, timeout=5)
    assert held.payment.state == PAYMENT_STATE_AUTHORIZED


async def test_a_fault_is_switched_on_in_the_settings_file(
    settings: StubsSettings, client: httpx.AsyncClient
) -> None:
    (settings.data / FILE).write_text(json.dumps({"stubs.openai.faults.status": "503"}))
    body = {"messages": [{"role": "user", "content": "hello"}]}

    async def status(name: str) -> int:
        return (
            await client.post(f"{url(settings, name)}/v1/chat/completions", json=body)
        ).status_code

    async with asyncio.timeout(10):
        while await status("openai") != 503:  # noqa: ASYNC110 the file is watched by polling
            await asyncio.sleep(0.05)
    native = {"contents": [{"parts": [{"text": "hello"}]}]}
    other = await client.post(
        f"{url(settings, 'gemini')}/v1beta/models/m:generateContent", json=native
    )
    assert other.status_code == 200
