"""`leaky reconcile`: whether all books of the system say the same."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from leaky.token.v1 import reconcile_service_pb2 as pb
from mesh.cli import options
from mesh.cli.data import environment
from mesh.cli.refusal import FAILED, RefusedError
from mesh.cli.token_service import connected, credential, own_token_endpoint, token_endpoint
from mesh.errors import AppError
from mesh.rpc.method import rpc
from mesh.rpc.streams import closing
from mesh.settings import Live, MeshSettings

_RECONCILE = rpc(pb.ReconcileRequest, pb.ReconcileResponse)
# Not everything could be compared; what was shows no difference.
INCOMPLETE = 3


@dataclass(slots=True)
class _Outcome:
    """What was told."""

    differences: list[pb.Difference] = field(default_factory=list)
    not_compared: list[pb.NotCompared] = field(default_factory=list)
    compared: pb.Compared | None = None

    @property
    def left(self) -> int:
        """Differences that are still there."""
        return sum(not difference.repaired for difference in self.differences)

    @property
    def code(self) -> int:
        """What the command ends with."""
        if self.left:
            return FAILED
        return INCOMPLETE if self.not_compared or self.compared is None else 0


def reconcile(
    *,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Free orphaned reservations, send missing events again; nothing else is changed.",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object instead of lines.")
    ] = False,
    data: options.Data = None,
    token: options.Token = "",
) -> None:
    """Compare balances, ledger, outbox, analytics and payments; print every difference.

    Exit 0 when there is none, or all are repaired; 1 with differences; 3 when
    something could not be compared and the rest shows none.
    """
    outcome = _Outcome()
    asyncio.run(_follow(data, token, repair, outcome, quiet=as_json))
    if as_json:
        typer.echo(json.dumps(_tree(outcome), indent=2))
    else:
        typer.echo(_summary(outcome))
    raise typer.Exit(outcome.code)


async def _follow(
    data: Path | None,
    token: str,
    repair: bool,  # noqa: FBT001 as the command was told
    outcome: _Outcome,
    *,
    quiet: bool,
) -> None:
    settings = Live.read(MeshSettings, environment(data)).current
    at = own_token_endpoint(settings) if repair else token_endpoint(settings)
    request = pb.ReconcileRequest(repair=repair)
    try:
        async with connected(at, settings) as channel:
            stream = channel.stream(_RECONCILE, request, metadata=credential(token))
            await _listen(stream, outcome, quiet=quiet)
    except AppError as error:
        message = f"token on {at.host}:{at.grpc.number}: {error.message}; nothing more was compared"
        raise RefusedError(message, code=FAILED if outcome.left else INCOMPLETE) from error


async def _listen(
    stream: AsyncIterator[pb.ReconcileResponse], outcome: _Outcome, *, quiet: bool
) -> None:
    async with closing(stream):
        async for told in stream:
            if told.HasField("difference"):
                outcome.differences.append(told.difference)
                lines = _difference(told.difference)
            elif told.HasField("not_compared"):
                outcome.not_compared.append(told.not_compared)
                lines = f"not compared: {told.not_compared.what}: {told.not_compared.why}"
            else:
                outcome.compared = told.compared
                continue
            if not quiet:
                typer.echo(lines)


def _difference(one: pb.Difference) -> str:
    done = "repaired" if one.repaired else f"-> {one.advice}"
    return f"{one.kind}: {one.subject}\n  expected {one.expected}\n  found    {one.found}\n  {done}"


def _summary(outcome: _Outcome) -> str:
    found = len(outcome.differences)
    counted = ", ".join(
        f"{value} {name}" for name, value in _fields(outcome.compared or pb.Compared()).items()
    )
    away = ", ".join(one.what for one in outcome.not_compared)
    return f"reconcile differences={found} repaired={found - outcome.left} compared: {counted}" + (
        f"; NOT COMPARED: {away}" if away else ""
    )


def _fields(compared: pb.Compared) -> dict[str, int]:
    return {each.name: getattr(compared, each.name) for each in compared.DESCRIPTOR.fields}


def _tree(outcome: _Outcome) -> dict[str, object]:
    return {
        "differences": [_plain(one) for one in outcome.differences],
        "notCompared": [_plain(one) for one in outcome.not_compared],
        "compared": _fields(outcome.compared or pb.Compared()),
    }


def _plain(message: Message) -> dict[str, object]:
    plain: dict[str, object] = MessageToDict(message, always_print_fields_with_no_presence=True)
    return plain
