"""An ASGI app on a port, inside a process that has other things to do."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from mesh.rpc.server import PortTakenError

BACKLOG = 2048


class _Uvicorn(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The process's own lifecycle listens to signals.
        yield


class HttpServer:
    """Serves an app with uvicorn on the running loop."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._app, self._host, self._port = app, host, port

    @asynccontextmanager
    async def listening(self, grace: float) -> AsyncIterator[None]:
        """Serves until the end, which gives requests in flight `grace` seconds.

        Raises PortTakenError.
        """
        sock = self._bind()
        config = uvicorn.Config(
            self._app,
            http="httptools",
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=max(1, round(grace)),
        )
        server = _Uvicorn(config)
        serving = asyncio.ensure_future(server.serve(sockets=[sock]))
        try:
            yield
        finally:
            server.should_exit = True
            await serving

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((self._host, self._port))
            sock.listen(BACKLOG)
        except OSError as error:
            sock.close()
            address = f"{self._host}:{self._port}"
            raise PortTakenError(f"cannot listen on {address}: {error.strerror}") from error
        sock.setblocking(False)
        return sock
