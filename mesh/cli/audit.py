"""`leaky audit`: who did what to which, from where."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict

from leaky.auth.v1 import audit_service_pb2 as pb
from mesh.cli import options
from mesh.cli.data import environment
from mesh.cli.refusal import USAGE, RefusedError
from mesh.cli.screen import print_table
from mesh.cli.token_service import connected, credential, endpoint_of
from mesh.errors import AppError
from mesh.rpc.grpc_channel import GrpcChannel
from mesh.rpc.method import rpc
from mesh.settings import Live, MeshSettings
from mesh.settings.model import parse_duration

TIMEOUT_SECONDS = 10.0
PAGE = 1000
_LIST = rpc(pb.ListAuditEntriesRequest, pb.ListAuditEntriesResponse)
_HEAD = ("when", "who", "action", "outcome", "to", "of user", "detail", "from")


def audit(
    *,
    user: Annotated[
        str, typer.Option(metavar="USER_ID", help="Who acted, or whom it concerns.")
    ] = "",
    action: Annotated[
        str, typer.Option(metavar="ACTION", help="What was done, such as LOGIN.")
    ] = "",
    since: Annotated[
        str, typer.Option(metavar="WHEN", help="A time such as 2026-01-31T12:00:00Z, or 24h ago.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="So many of the newest.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    data: options.Data = None,
    token: options.Token = "",
) -> None:
    """Show the audit log, oldest first."""
    request = pb.ListAuditEntriesRequest(user_id=user, action=action)
    if since:
        request.since.FromDatetime(_moment(since))
    settings = Live.read(MeshSettings, environment(data)).current
    entries = _read(settings, request, limit, credential(token))[::-1]
    if as_json:
        for entry in entries:
            typer.echo(json.dumps(_line(entry)))
    elif entries:
        print_table(_HEAD, map(_row, entries))
    else:
        typer.echo("nothing is written down")


def _moment(text: str) -> datetime:
    try:
        seconds = parse_duration(text.removesuffix(" ago"))
    except ValueError:
        seconds = None
    # OverflowError: before the year 1, there or in UTC.
    try:
        if isinstance(seconds, float):
            return datetime.now(UTC) - timedelta(seconds=seconds)
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"{text!r} is no time; write for example 24h, or 2026-01-31T12:00:00Z"
        raise RefusedError(message, code=USAGE) from None


def _read(
    settings: MeshSettings,
    request: pb.ListAuditEntriesRequest,
    limit: int,
    metadata: Mapping[str, str],
) -> list[pb.AuditEntry]:
    at = endpoint_of(settings, "auth")

    async def ask() -> list[pb.AuditEntry]:
        async with connected(at, settings) as channel:
            return [entry async for entry in _entries(channel, request, limit, metadata)]

    try:
        return asyncio.run(ask())
    except AppError as error:
        message = f"auth on {at.host}:{at.grpc.number}: {error.message}"
        raise RefusedError(message) from error


async def _entries(
    channel: GrpcChannel,
    request: pb.ListAuditEntriesRequest,
    limit: int,
    metadata: Mapping[str, str],
) -> AsyncIterator[pb.AuditEntry]:
    while limit > 0:
        request.limit = min(PAGE, limit)
        page = await channel.unary(_LIST, request, timeout=TIMEOUT_SECONDS, metadata=metadata)
        for entry in page.entries:
            yield entry
        limit -= len(page.entries)
        if len(page.entries) < request.limit:
            return
        request.before_seq = page.entries[-1].seq


def _line(entry: pb.AuditEntry) -> dict[str, Any]:
    told = MessageToDict(entry, always_print_fields_with_no_presence=True)
    # protobuf's JSON has 64-bit numbers as texts.
    return {**told, "seq": entry.seq}


def _row(entry: pb.AuditEntry) -> tuple[str, ...]:
    who = f"{entry.actor} (key {entry.api_key_id})" if entry.api_key_id else entry.actor
    return (
        entry.at.ToJsonString(),
        who,
        entry.action,
        entry.outcome,
        f"{entry.subject_kind} {entry.subject_id}".strip(),
        entry.user_id,
        entry.detail,
        entry.address,
    )
