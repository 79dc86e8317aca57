"""`leaky reconcile` against a served ReconcileService, which stands on real books."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from leaky.common.v1.reason_pb2 import REASON_PERMISSION_DENIED
from mesh.errors import AppError
from mesh.rpc.interceptors.errors import map_errors
from svc_token.servicers.reconcile import ReconcileServicer
from svc_token.usecases.reconcile.pools import ComparePools
from svc_token.usecases.reconcile.reconcile import Reconcile
from svc_token.usecases.reconcile.reservations import CompareReservations
from tests.mesh.cli.processes import running_on
from tests.mesh.rpc.serving import served
from tests.ports import free_port
from tests.svc_token.conftest import HandClock, house_in
from tests.svc_token.usecases.reconcile.conftest import KEY, Audited

if TYPE_CHECKING:
    from tests.mesh.cli.conftest import Leaky

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def books(folder: Path, *interceptors: Any) -> AsyncIterator[tuple[Audited, dict[str, str]]]:
    """One pool with a hold, and what leads the command to their service."""
    clock = HandClock()
    url = f"sqlite:///{folder / 'token.db'}"
    async with house_in(folder, url, clock) as house:
        audit = house.stores.audit
        comparisons = (
            ComparePools(audit=audit),
            CompareReservations(audit=audit, limits=house.limits, clock=clock),
        )
        reconcile = Reconcile(comparisons=comparisons, ledger=house.stores.ledger)
        audited = Audited(house, url)
        await audited.open_pool()
        await audited.reserve("held")
        servicer = ReconcileServicer(reconcile=reconcile)
        with running_on(folder / "data"):
            async with served(servicer, interceptors=(map_errors, *interceptors)) as found:
                yield audited, {"LEAKY_TOKEN_GRPC_PORT": str(found.port)}


async def run(leaky: "Leaky", *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(leaky, "reconcile", *words, **env)


async def test_books_that_agree_end_with_0_and_say_what_was_compared(
    leaky: "Leaky", tmp_path: Path
) -> None:
    async with books(tmp_path) as (_, env):
        done = await run(leaky, **env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("reconcile differences=0 repaired=0 compared: 1 pools, 2 lines,")


async def test_a_difference_ends_with_1_and_says_what_where_and_what_to_do(
    leaky: "Leaky", tmp_path: Path
) -> None:
    async with books(tmp_path) as (audited, env):
        await audited.plant("UPDATE pools SET debt = 3")
        done = await run(leaky, "--repair", **env)
    assert done.returncode == 1
    what, expected, found, advice, summary = done.stdout.splitlines()
    assert what == f"balance: pool {KEY.owner} at openai"
    assert expected == "  expected debt 0 by the ledger"
    assert found == "  found    debt 3"
    assert advice.startswith("  -> the pool was written past the ledger")
    assert summary.startswith("reconcile differences=1 repaired=0")


async def test_what_is_repaired_ends_with_0(leaky: "Leaky", tmp_path: Path) -> None:
    async with books(tmp_path) as (audited, env):
        audited.house.clock.pass_seconds(100)
        found = await run(leaky, "--json", **env)
        assert found.returncode == 1
        (one,) = json.loads(found.stdout)["differences"]
        assert (one["kind"], one["repairable"], one["repaired"]) == ("orphan", True, False)
        done = await run(leaky, "--repair", **env)
        assert done.returncode == 0
        assert "  repaired" in done.stdout.splitlines()
        assert await audited.house.held() == 0
        assert (await run(leaky, **env)).stdout.startswith("reconcile differences=0")


async def test_the_books_of_another_system_on_the_same_port_are_not_repaired(
    leaky: "Leaky", tmp_path: Path
) -> None:
    async with books(tmp_path) as (audited, env):
        audited.house.clock.pass_seconds(100)
        other = tmp_path / "other"
        refused = await run(leaky, "--repair", "--data", str(other), **env)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr == f"leaky: token is not running on {other}; nothing was changed\n"
        assert await audited.house.held() > 0


async def test_a_refusal_is_said_and_nothing_counts_as_compared(
    leaky: "Leaky", tmp_path: Path
) -> None:
    async def refuse(*_: Any, **__: Any) -> Any:
        raise AppError(REASON_PERMISSION_DENIED, "the caller's roles do not allow this")

    async with books(tmp_path, refuse) as (_, env):
        done = await run(leaky, **env)
    assert done.returncode == 3
    assert "the caller's roles do not allow this" in done.stderr


async def test_the_token_is_sent_as_a_bearer(leaky: "Leaky", tmp_path: Path) -> None:
    sent = []

    async def look(request: Any, call: Any, proceed: Any) -> Any:
        sent.append(call.metadata.get("authorization"))
        return await proceed(request, call)

    async with books(tmp_path, look) as (_, env):
        await run(leaky, LEAKY_TOKEN="abc", **env)
    assert sent == ["Bearer abc"]


async def test_a_service_that_is_away_ends_with_3(leaky: "Leaky") -> None:
    port = free_port()
    done = await run(leaky, LEAKY_TOKEN_GRPC_PORT=str(port))
    assert done.returncode == 3
    assert f"token on 127.0.0.1:{port}" in done.stderr
    assert done.stdout == ""
