import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import uvicorn
from pydantic import Field
from starlette.responses import PlainTextResponse

from mesh.settings import MeshSettings
from mesh.settings.source import load
from providers.egress import Providers
from providers.settings import EgressSettings, ProviderSettings, default_providers
from svc_stubs.native import MAX_BYTES, Native
from svc_stubs.usecases.chat import Complete


class Caller(MeshSettings):
    providers: dict[str, ProviderSettings] = Field(default_factory=default_providers)
    provider: EgressSettings = EgressSettings()


pytestmark = pytest.mark.anyio
QWEN = "/api/v1/services/aigc/text-generation/generation"
GEMINI = "/v1beta/models/gemini-x:generateContent"
OPENAI = "/v1/chat/completions"
BODIES = {
    "openai": (OPENAI, {"model": "gpt-x", "messages": [{"role": "user", "content": "hello"}]}),
    "gemini": (GEMINI, {"contents": [{"parts": [{"text": "hello"}]}]}),
    "qwen": (QWEN, {"model": "qwen-x", "input": {"messages": [{"content": "hello"}]}}),
}


@pytest.fixture
async def clients(
    clock: Any, ids: Any, switches: Any
) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """A client to each double, each on a port of its own."""
    servers, clients = [], {}
    for provider in BODIES:
        app = Native(
            provider=provider,
            complete=Complete(clock=clock, ids=ids),
            faults=switches,
            otherwise=PlainTextResponse("documented"),
        )
        sock = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup([sock])
        servers.append((server, sock))
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        clients[provider] = httpx.AsyncClient(base_url=url, trust_env=False, timeout=30)
    yield clients
    for client in clients.values():
        await client.aclose()
    for server, sock in servers:
        await server.shutdown([sock])


Clients = dict[str, httpx.AsyncClient]


async def post(clients: Clients, provider: str) -> httpx.Response:
    path, body = BODIES[provider]
    return await clients[provider].post(path, json=body)


NATIVE: dict[str, dict[str, Any]] = {
    "openai": {
        "object": "chat.completion",
        "model": "gpt-x",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Stubbed OpenAI response"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 2, "completion_tokens": 6, "total_tokens": 8},
    },
    "gemini": {
        "candidates": [
            {
                "index": 0,
                "content": {"role": "model", "parts": [{"text": "Stubbed Gemini response"}]},
                "finishReason": "STOP",
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 2,
            "candidatesTokenCount": 6,
            "totalTokenCount": 8,
        },
        "modelVersion": "gemini-x",
        "responseId": "00000000-0000-4000-8000-000000000001",
    },
    "qwen": {
        "request_id": "00000000-0000-4000-8000-000000000001",
        "output": {
            "choices": [
                {
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": "Stubbed Qwen response"},
                }
            ]
        },
        "usage": {"input_tokens": 2, "output_tokens": 6, "total_tokens": 8},
    },
}


@pytest.mark.parametrize("provider", BODIES)
async def test_native_answers_carry_the_common_fields(clients: Clients, provider: str) -> None:
    response = await post(clients, provider)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == NATIVE[provider] | {
        "id": "00000000-0000-4000-8000-000000000001",
        "provider": provider,
        "received": "hello",
        "created": "2023-11-14T22:13:20.123Z",
        "message": NATIVE_MESSAGES[provider],
    }


NATIVE_MESSAGES = {
    "openai": "Stubbed OpenAI response",
    "gemini": "Stubbed Gemini response",
    "qwen": "Stubbed Qwen response",
}


@pytest.mark.parametrize("provider", BODIES)
async def test_the_egress_and_the_doubles_understand_each_other(
    clients: Clients, provider: str
) -> None:
    url = str(clients[provider].base_url)
    told = {f"providers.{provider}.base-url": url, "provider.timeout": "30s"}
    settings = load(Caller, {}, told)
    egress = Providers(lambda: settings)
    answer = await egress.complete(provider, prompt="péché\n", tokens=9, request_id="r")
    await egress.close()
    assert json.loads(answer)["received"] == "péché\n"


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"prompt":"not native"}'])
@pytest.mark.parametrize("provider", BODIES)
async def test_bad_requests_are_refused_in_the_providers_own_words(
    clients: Clients, provider: str, content: bytes
) -> None:
    response = await clients[provider].post(BODIES[provider][0], content=content)
    assert response.status_code == 400
    error = response.json()
    assert error["message"] if provider == "qwen" else error["error"]["message"]


async def test_other_methods_and_large_bodies_are_refused(clients: Clients) -> None:
    wrong = await clients["openai"].get(OPENAI)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    large = await clients["openai"].post(OPENAI, content=b"x" * (MAX_BYTES + 1))
    assert large.status_code == 413


async def test_any_other_path_is_the_documented_apps(clients: Clients) -> None:
    for path in ("/api/v1/openai/chat", GEMINI, "/v1/chat/completions/"):
        assert (await clients["openai"].post(path)).text == "documented"


@pytest.mark.parametrize("status", [204, 401, 429, 503])
async def test_the_status_switch(clients: Clients, switches: Any, status: int) -> None:
    switches.trouble = replace(switches.trouble, status=status)
    assert (await post(clients, "gemini")).status_code == status
    switches.trouble = replace(switches.trouble, status=0)
    assert (await post(clients, "gemini")).status_code == 200


async def test_the_delay_switch(clients: Clients, switches: Any) -> None:
    switches.trouble = replace(switches.trouble, delay=0.1)
    started = time.monotonic()
    assert (await post(clients, "qwen")).status_code == 200
    assert time.monotonic() - started >= 0.1


async def test_the_hang_switch_hangs_until_the_client_goes(clients: Clients, switches: Any) -> None:
    switches.trouble = replace(switches.trouble, hang=True)
    hanging = asyncio.ensure_future(post(clients, "openai"))
    done, _ = await asyncio.wait({hanging}, timeout=0.1)
    assert not done
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    switches.trouble = replace(switches.trouble, hang=False)
    assert (await post(clients, "openai")).status_code == 200
