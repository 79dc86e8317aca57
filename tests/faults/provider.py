"""A provider with books: it answers at once and writes down whom."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.faults.books import ProviderCall


@dataclass(slots=True)
class Provider:
    """OpenAI's wire format, with the consume's mark as the prompt."""

    url: str = ""
    calls: list[ProviderCall] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """One completion."""
        body = await request.json()
        mark = body["messages"][0]["content"]
        self.calls.append(
            ProviderCall(mark=mark, request_id=request.headers["X-Client-Request-Id"])
        )
        said = {"role": "assistant", "content": "yes"}
        return web.json_response({"id": mark, "choices": [{"message": said}]})


@asynccontextmanager
async def providing(port: int) -> AsyncIterator[Provider]:
    """The provider on a port of this process."""
    provider = Provider(url=f"http://127.0.0.1:{port}")
    app = web.Application()
    app.router.add_post("/v1/chat/completions", provider.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield provider
    finally:
        await runner.cleanup()
