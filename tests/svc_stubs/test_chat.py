import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest

from leaky.common.v1.reason_pb2 import (
    REASON_INVALID_ARGUMENT,
    REASON_MALFORMED_JSON,
    REASON_PROVIDER_CALL_FAILED,
    REASON_PROVIDER_NOT_FOUND,
)
from leaky.provider.v1 import chat_service_pb2
from mesh.errors import AppError
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.interceptors.validation import ValidationInterceptor
from mesh.rpc.local_channel import LocalChannel
from mesh.rpc.method import rpc
from svc_stubs.servicers import ChatServicer
from svc_stubs.usecases.chat import Chat

pytestmark = pytest.mark.anyio
CHAT = rpc(chat_service_pb2.ChatRequest, chat_service_pb2.ChatResponse)


@pytest.fixture
def channel(switches: Any, clock: Any, ids: Any) -> LocalChannel:
    dispatcher = Dispatcher([ValidationInterceptor()])
    dispatcher.add(ChatServicer(Chat(faults=switches, clock=clock, ids=ids)))
    return LocalChannel(dispatcher)


async def ask(channel: LocalChannel, provider: str, body: bytes) -> Any:
    request = chat_service_pb2.ChatRequest(provider=provider, body=body)
    return orjson.loads((await channel.unary(CHAT, request)).body)


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        ("openai", "Stubbed OpenAI response"),
        ("gemini", "Stubbed Gemini response"),
        ("qwen", "Stubbed Qwen response"),
    ],
)
async def test_each_double_answers(channel: LocalChannel, provider: str, message: str) -> None:
    first = await ask(channel, provider, b'{"prompt":"hello"}')
    second = await ask(channel, provider, b'{"prompt":"hello"}')
    assert {**first, "id": ""} == {
        "id": "",
        "provider": provider,
        "received": "hello",
        "created": "2023-11-14T22:13:20.123Z",
        "message": message,
    }
    assert first["id"] != second["id"]


@pytest.mark.parametrize(
    ("provider", "body", "reason"),
    [
        ("claude", b'{"prompt":"x"}', REASON_PROVIDER_NOT_FOUND),
        ("openai", b"{", REASON_MALFORMED_JSON),
        ("openai", b"[]", REASON_INVALID_ARGUMENT),
        ("openai", b"7", REASON_INVALID_ARGUMENT),
        ("openai", b"", REASON_INVALID_ARGUMENT),
        ("openai", b"{}", REASON_INVALID_ARGUMENT),
        ("", b'{"prompt":"x"}', REASON_INVALID_ARGUMENT),
    ],
)
async def test_what_it_does_not_take(
    channel: LocalChannel, provider: str, body: bytes, reason: int
) -> None:
    with pytest.raises(AppError) as refused:
        await ask(channel, provider, body)
    assert refused.value.reason == reason


async def test_a_status_switch_is_a_failed_call(channel: LocalChannel, switches: Any) -> None:
    switches.trouble = replace(switches.trouble, status=503)
    with pytest.raises(AppError) as refused:
        await ask(channel, "openai", b'{"prompt":"x"}')
    assert refused.value.reason == REASON_PROVIDER_CALL_FAILED


async def test_a_hang_lasts_until_the_caller_gives_up(channel: LocalChannel, switches: Any) -> None:
    switches.trouble = replace(switches.trouble, hang=True)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await ask(channel, "openai", b'{"prompt":"x"}')
