"""`leaky outbox`: events that no receiver takes, and sending them again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from leaky.token.v1 import outbox_service_pb2 as pb
from mesh.cli import options
from mesh.cli.data import environment
from mesh.cli.endpoints import Endpoint
from mesh.cli.refusal import USAGE, RefusedError
from mesh.cli.screen import print_table
from mesh.cli.token_service import connected, credential, own_token_endpoint, token_endpoint
from mesh.errors import AppError
from mesh.rpc.grpc_channel import GrpcChannel
from mesh.rpc.method import rpc
from mesh.settings import Live, MeshSettings

T = TypeVar("T")
TIMEOUT_SECONDS = 10.0
_LIST = rpc(pb.ListParkedRequest, pb.ListParkedResponse)
_REQUEUE = rpc(pb.RequeueParkedRequest, pb.RequeueParkedResponse)

app = typer.Typer(help="Look at events that no receiver takes.", no_args_is_help=True)


@app.command()
def parked(data: options.Data = None, token: options.Token = "") -> None:
    """List what is set aside; later events of the same key and topic wait behind it."""

    async def read(outbox: "_Outbox") -> list[pb.ParkedEvent]:
        return [event async for event in outbox.parked()]

    found = _ask(data, token, read)
    if not found:
        typer.echo("nothing is parked")
        return
    print_table(
        ("event", "topic", "key", "parked", "bytes"),
        [
            (
                event.event_id,
                event.topic,
                event.key,
                event.parked_at.ToJsonString(),
                str(event.size),
            )
            for event in found
        ],
    )


@app.command()
def requeue(
    event_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[EVENT_ID]...", help="As `parked` lists them.")
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All that is parked.")] = False,
    data: options.Data = None,
    token: options.Token = "",
) -> None:
    """Send parked events again, each before what waits behind it; exit 1 if one is not parked."""
    wanted = event_ids or []
    if everything == bool(wanted):
        raise RefusedError("name events, or --all", code=USAGE)
    done = _ask(data, token, lambda outbox: outbox.requeue(wanted), own_token_endpoint)
    typer.echo(f"{len(done)} sent again")
    if missing := sorted({*wanted} - {*done}):
        raise RefusedError(f"not parked: {', '.join(missing)}")


class _Outbox:
    """svc_token's OutboxService, as this caller."""

    def __init__(self, channel: GrpcChannel, token: str) -> None:
        self._channel = channel
        self._metadata = credential(token)

    async def parked(self) -> AsyncIterator[pb.ParkedEvent]:
        """All, page by page."""
        after = 0
        while True:
            request = pb.ListParkedRequest(after_seq=after)
            page = await self._channel.unary(
                _LIST, request, timeout=TIMEOUT_SECONDS, metadata=self._metadata
            )
            for event in page.events:
                yield event
            if not page.events:
                return
            after = page.events[-1].seq

    async def requeue(self, event_ids: list[str]) -> list[str]:
        """Those that were parked; all for none."""
        request = pb.RequeueParkedRequest(all=not event_ids, event_ids=event_ids)
        answer = await self._channel.unary(
            _REQUEUE, request, timeout=TIMEOUT_SECONDS, metadata=self._metadata
        )
        return list(answer.event_ids)


def _ask(
    data: Path | None,
    token: str,
    question: Callable[[_Outbox], Awaitable[T]],
    where: Callable[[MeshSettings], Endpoint] = token_endpoint,
) -> T:
    settings = Live.read(MeshSettings, environment(data)).current
    at = where(settings)

    async def ask() -> T:
        async with connected(at, settings) as channel:
            return await question(_Outbox(channel, token))

    try:
        return asyncio.run(ask())
    except AppError as error:
        message = f"token on {at.host}:{at.grpc.number}: {error.message}"
        raise RefusedError(message) from error
