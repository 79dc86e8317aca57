"""`leaky audit` against a served AuditLogService, which stands on a real log."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mesh.rpc.interceptors.errors import map_errors
from mesh.rpc.interceptors.validation import ValidationInterceptor
from svc_auth.domain.audit import Action
from svc_auth.servicers.audit_log import AuditLogServicer
from svc_auth.stores import STORES
from svc_auth.usecases.read_audit_log import ReadAuditLog
from tests.mesh.rpc.serving import served
from tests.svc_auth.records import ALICE, RECORD

if TYPE_CHECKING:
    from tests.mesh.cli.conftest import Leaky

pytestmark = pytest.mark.anyio
YEAR_2023 = 1_700_000_000_000_000


@asynccontextmanager
async def log(folder: Path) -> AsyncIterator[dict[str, str]]:
    """A log of three lines, and what leads the command to its service."""
    async with STORES.open(f"sqlite:///{folder / 'auth.db'}") as store:
        for number, action in enumerate((Action.LOGIN, Action.USER_DISABLED, Action.LOGIN)):
            entry = replace(RECORD.entry, action=action, at=YEAR_2023 + number)
            await store.audit.note(entry)
        servicer = AuditLogServicer(read=ReadAuditLog(audit=store.audit))
        chain = (map_errors, ValidationInterceptor())
        async with served(servicer, interceptors=chain) as found:
            yield {"LEAKY_AUTH_GRPC_PORT": str(found.port)}


async def run(leaky: "Leaky", *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(leaky, "audit", *words, **env)


async def test_the_log_is_shown_oldest_first_and_narrowed(leaky: "Leaky", tmp_path: Path) -> None:
    async with log(tmp_path) as env:
        table, lines, last, none, wrong = await asyncio.gather(
            run(leaky, **env),
            run(leaky, "--json", "--user", ALICE, "--action", "LOGIN", **env),
            run(leaky, "--json", "--limit", "2", "--since", "2023-01-01T00:00:00Z", **env),
            run(leaky, "--since", "24h", **env),
            run(leaky, "--action", "DANCE", **env),
        )
    assert (table.returncode, table.stderr) == (0, "")
    for cell in ("2023-11-14T22:13:20Z", "192.0.2.1", ALICE, "USER_DISABLED", "DONE", "a word"):
        assert cell in table.stdout
    told: list[dict[str, Any]] = [json.loads(line) for line in lines.stdout.splitlines()]
    assert [(one["seq"], one["action"]) for one in told] == [(1, "LOGIN"), (3, "LOGIN")]
    assert told[0]["address"] == "192.0.2.1"
    assert [json.loads(line)["seq"] for line in last.stdout.splitlines()] == [2, 3]
    assert none.stdout == "nothing is written down\n"
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)
    assert "must be one of USER_REGISTERED" in wrong.stderr


@pytest.mark.parametrize(
    "when",
    ["yesterday", "9999999d", "9" * 400, "0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-14:00"],
)
async def test_a_time_that_is_none_is_refused(leaky: "Leaky", when: str) -> None:
    refused = await run(leaky, "--since", when)
    assert (refused.returncode, f"{when!r} is no time" in refused.stderr) == (2, True)
