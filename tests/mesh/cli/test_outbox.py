"""`leaky outbox` against a served OutboxService, which stands on a real outbox."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from leaky.common.v1.reason_pb2 import REASON_UNAUTHENTICATED
from mesh.errors import AppError
from mesh.rpc.interceptors.errors import map_errors
from mesh.rpc.interceptors.validation import ValidationInterceptor
from svc_token.domain.operations import Emit
from svc_token.servicers.outbox import OutboxServicer
from svc_token.stores import TOKEN_STORES
from svc_token.stores.stores import TokenStores
from svc_token.usecases.parked_events import ListParked, RequeueParked
from tests.mesh.cli.processes import running_on
from tests.mesh.rpc.serving import served
from tests.ports import free_port
from tests.svc_token.conftest import NOW_US, TOPICS, spend

if TYPE_CHECKING:
    from tests.mesh.cli.conftest import Leaky

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def outbox(folder: Path, *interceptors: Any, events: int = 3) -> AsyncIterator[Any]:
    """The stores, with so many parked events, and what leads the command to their service."""
    async with TOKEN_STORES.open(f"sqlite:///{folder / 'token.db'}", topics=TOPICS) as stores:
        for number in range(events):
            event = spend(user_id=f"u{number}", prompt="secret").event(f"e{number}", NOW_US)
            await stores.ledger.submit(Emit(event=event))
        for row in await stores.outbox.pending(events):
            await stores.outbox.park([row.seq], NOW_US)
        servicer = OutboxServicer(
            list_parked=ListParked(outbox=stores.outbox),
            requeue=RequeueParked(outbox=stores.outbox),
        )
        chain = (map_errors, ValidationInterceptor(), *interceptors)
        with running_on(folder / "data"):
            async with served(servicer, interceptors=chain) as found:
                yield stores, {"LEAKY_TOKEN_GRPC_PORT": str(found.port)}


async def run(leaky: "Leaky", *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(leaky, "outbox", *words, **env)


async def waiting(stores: TokenStores) -> list[str]:
    return [row.event_id for row in await stores.outbox.pending(100)]


async def test_parked_lists_what_is_set_aside_without_what_it_tells(
    leaky: "Leaky", tmp_path: Path
) -> None:
    async with outbox(tmp_path) as (_, env):
        shown = await run(leaky, "parked", **env)
    assert (shown.returncode, shown.stderr) == (0, "")
    for number in range(3):
        assert f"e{number}" in shown.stdout
        assert f"user:u{number}" in shown.stdout
    assert "2023-11-14T22:13:20.123456Z" in shown.stdout
    assert "secret" not in shown.stdout


async def test_requeue_sends_those_that_are_named_again(leaky: "Leaky", tmp_path: Path) -> None:
    async with outbox(tmp_path) as (stores, env):
        done = await run(leaky, "requeue", "e2", "e0", **env)
        assert (done.returncode, done.stdout) == (0, "2 sent again\n")
        assert await waiting(stores) == ["e0", "e2"]
        again = await run(leaky, "requeue", "e0", "e1", **env)
        assert (again.returncode, again.stdout) == (1, "1 sent again\n")
        assert again.stderr == "leaky: not parked: e0\n"


async def test_what_another_system_on_the_same_port_has_parked_stays(
    leaky: "Leaky", tmp_path: Path
) -> None:
    async with outbox(tmp_path) as (stores, env):
        other = tmp_path / "other"
        refused = await run(leaky, "requeue", "--all", "--data", str(other), **env)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr == f"leaky: token is not running on {other}; nothing was changed\n"
        assert await waiting(stores) == []


async def test_requeue_all_leaves_nothing_parked(leaky: "Leaky", tmp_path: Path) -> None:
    async with outbox(tmp_path) as (stores, env):
        assert (await run(leaky, "requeue", "--all", **env)).stdout == "3 sent again\n"
        assert await waiting(stores) == ["e0", "e1", "e2"]
        assert (await run(leaky, "parked", **env)).stdout == "nothing is parked\n"


@pytest.mark.parametrize("words", [(), ("--all", "e1")])
async def test_requeue_wants_events_or_all(leaky: "Leaky", words: tuple[str, ...]) -> None:
    refused = await run(leaky, "requeue", *words)
    assert (refused.returncode, refused.stderr) == (2, "leaky: name events, or --all\n")


async def test_the_token_goes_with_the_call_and_a_refusal_is_one_line(
    leaky: "Leaky", tmp_path: Path
) -> None:
    async def admins_only(request: Any, call: Any, proceed: Any) -> Any:
        if call.metadata.get("authorization") != "Bearer of-an-admin":
            raise AppError(REASON_UNAUTHENTICATED, "a credential is needed")
        return await proceed(request, call)

    async with outbox(tmp_path, admins_only, events=0) as (_, env):
        refused = await run(leaky, "parked", **env)
        assert refused.returncode == 1
        said = f"leaky: token on 127.0.0.1:{env['LEAKY_TOKEN_GRPC_PORT']}: a credential is needed\n"
        assert refused.stderr == said
        for words, more in ((("--token", "of-an-admin"), {}), ((), {"LEAKY_TOKEN": "of-an-admin"})):
            assert (await run(leaky, "parked", *words, **env, **more)).returncode == 0


async def test_a_service_that_is_away_is_one_line(leaky: "Leaky") -> None:
    refused = await run(leaky, "parked", LEAKY_TOKEN_GRPC_PORT=str(free_port()))
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "service unavailable" in refused.stderr
