"""How connections between processes are made, and whom they prove."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import grpc

Options = Sequence[tuple[str, Any]]


class Transport(Protocol):
    """The whole difference between connections in the clear and over mutual TLS."""

    @property
    def server_options(self) -> Options:
        """What a server takes beside its own options."""
        ...

    def listen(self, server: grpc.aio.Server, address: str) -> int:
        """Makes the server take connections there; the port. Raises RuntimeError if it is taken."""
        ...

    def dial(self, service: str, target: str, options: Options) -> grpc.aio.Channel:
        """Connections to a service, such as "token", at these addresses."""
        ...

    def caller(self, context: Any) -> str:
        """The service that a call's connection proves, such as "token"; empty for none.

        Raises AppError UNAUTHENTICATED for a connection from outside of the mesh, UNAVAILABLE
        for one that could not be made any more.
        """
        ...

    def on_change(self, listener: Callable[[float], None]) -> None:
        """Calls the listener when new connections show something new.

        It is told for how many seconds the connections that there are may still be used.
        """
        ...

    async def follow(self) -> None:
        """Keeps up with what is shown, until cancelled."""
        ...


class Plaintext:
    """Anybody connects, and is nobody in particular."""

    server_options: Options = ()

    def listen(self, server: grpc.aio.Server, address: str) -> int:
        """Takes connections in the clear."""
        return server.add_insecure_port(address)

    def dial(self, _service: str, target: str, options: Options) -> grpc.aio.Channel:
        """Connections in the clear."""
        return grpc.aio.insecure_channel(target, options=options)

    def caller(self, _context: Any) -> str:
        """Nobody."""
        return ""

    def on_change(self, listener: Callable[[float], None]) -> None:
        """Nothing is shown, so nothing changes."""

    async def follow(self) -> None:
        """Waits for nothing, until cancelled."""
        await asyncio.Event().wait()


PLAINTEXT = Plaintext()
