"""`leaky reconcile` over a running system: silent while it is busy, loud about what is planted."""

import json
import os
import signal
import sqlite3
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.system import System, until

pytestmark = pytest.mark.e2e
FREE = {
    "LEAKY_GATEWAY_RATE_LIMIT_CAPACITY": "1000000",
    "LEAKY_GATEWAY_RATE_LIMIT_ROUTES_API_V1_TOKENS": "1000000",
    "LEAKY_TOKEN_BUCKET_CAPACITY": "1000000",
    # What is slow on a crowded machine is compared all the same.
    "LEAKY_DEADLINES_MESH": "10s",
    "LEAKY_DEADLINES_EDGE": "10s",
    "LEAKY_DEADLINES_CONSUME": "10s",
    "LEAKY_DEADLINES_PURCHASE": "10s",
}
PEOPLE = [str(uuid.uuid4()) for _ in range(8)]

ROUNDS = 3
PLANTED = (
    "UPDATE pools SET debt = debt + 1 WHERE rowid = (SELECT min(rowid) FROM pools)",
    "DELETE FROM reservations WHERE rowid = (SELECT min(rowid) FROM reservations)",
    "UPDATE sagas SET tokens = tokens + 1 WHERE id = (SELECT min(id) FROM sagas)",
    """UPDATE ledger SET event_id = 'eeeeeeee-0000-4000-8000-000000000000' WHERE event_id =
    (SELECT event_id FROM ledger WHERE kind = 'settle' ORDER BY at_us LIMIT 1)""",
)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """On the embedded stores, whose files a test can tamper with."""
    with System(tmp_path / "data", FREE).up() as running:
        yield running


def spend(client: httpx.Client, number: int) -> None:
    """A use, at times one that is refused, and at times a purchase."""
    body = {
        "userId": PEOPLE[number % len(PEOPLE)],
        "provider": ("openai", "qwen")[number % 2],
        "tokens": 1 + number,
    }
    what, done = ("consume", 200) if number % 10 else ("purchase", 202)
    answer = client.post(f"/api/v1/tokens/{what}", json=body)
    # A crowded machine may refuse, or break off and let go of what it held.
    assert answer.status_code == done or answer.is_server_error, answer.text


def reconciled(system: System, *options: str) -> tuple[int, Any]:
    """The exit code, and what was told."""
    done = system.leaky("reconcile", "--json", *options)
    assert done.stderr == "", done.stderr
    return done.returncode, json.loads(done.stdout)


def plant(system: System, database: str, statement: str) -> None:
    file = system.data / f"{database}.db"
    with closing(sqlite3.connect(file, timeout=10)) as connection, connection:
        assert connection.execute(statement).rowcount == 1


def kinds(told: Any) -> set[str]:
    return {one["kind"] for one in told["differences"]}


def finished(system: System) -> bool:
    """Whether nothing is under way any more."""
    with closing(sqlite3.connect(system.data / "token.db", timeout=10)) as connection:
        (waiting,) = connection.execute(
            "SELECT (SELECT count(*) FROM outbox)"
            " + (SELECT count(*) FROM sagas WHERE step != 'NONE')"
        ).fetchone()
    return bool(waiting == 0)


def load(system: System, count: int) -> None:
    with ThreadPoolExecutor(4) as workers, system.client() as client:
        list(workers.map(lambda number: spend(client, number), range(count)))
    until(lambda: finished(system), 30)


def test_a_busy_system_shows_no_difference(system: System) -> None:
    compared: list[dict[str, int]] = []
    with ThreadPoolExecutor(4) as workers, system.client() as client:
        busy = [workers.submit(spend, client, n) for n in range(20)]
        while not all(each.done() for each in busy) or len(compared) < ROUNDS:
            if len(compared) < ROUNDS:
                busy += [workers.submit(spend, client, n) for n in range(100)]
            code, told = reconciled(system)
            assert (code, told["differences"], told["notCompared"]) == (0, [], [])
            compared.append(told["compared"])
        for each in busy:
            each.result()
    assert compared[-1]["reservations"] > compared[0]["reservations"]
    assert compared[-1]["payments"] > 0
    # Events are compared when they are old enough to have arrived.
    until(lambda: reconciled(system)[1]["compared"]["events"] > 0, 30)


def test_every_planted_difference_is_named_and_counted(system: System) -> None:
    load(system, 60)
    code, told = reconciled(system)
    assert (code, told["differences"]) == (0, [])
    for statement in PLANTED:
        plant(system, "token", statement)
    found: dict[str, Any] = {}

    def all_found() -> bool:
        # An event is only looked for some seconds after its use.
        found["code"], found["told"] = reconciled(system)
        return kinds(found["told"]) == {
            "balance",
            "reservation-missing",
            "purchase-tokens",
            "payment-tokens",
            "event-missing",
            "event-unknown",
        }

    until(all_found, 60)
    assert found["code"] == 1
    assert all(each["expected"] and each["advice"] for each in found["told"]["differences"])
    lines = system.leaky("reconcile")
    assert lines.returncode == 1
    assert "balance: pool user:" in lines.stdout
    assert lines.stdout.splitlines()[-1].startswith("reconcile differences=6 repaired=0 compared: ")


def test_a_lost_event_is_sent_again(system: System) -> None:
    load(system, 20)
    plant(
        system,
        "analytics",
        "DELETE FROM usage_events WHERE event_id = (SELECT min(event_id) FROM usage_events)",
    )
    until(lambda: kinds(reconciled(system)[1]) == {"event-missing"}, 60)
    code, told = reconciled(system, "--repair")
    assert code == 0
    assert [one["repaired"] for one in told["differences"]] == [True]
    until(lambda: finished(system), 15)
    code, told = reconciled(system)
    assert (code, told["differences"]) == (0, [])
    with closing(sqlite3.connect(system.data / "analytics.db")) as connection:
        (stored,) = connection.execute("SELECT count(*) FROM usage_events").fetchone()
    assert stored == told["compared"]["events"]


def test_what_is_away_is_said_and_the_rest_is_compared(system: System) -> None:
    load(system, 10)
    for service, what in (
        ("analytics", "events with analytics"),
        ("stubs", "purchases with payments"),
    ):
        pid = system.pids()[service]
        os.kill(pid, signal.SIGSTOP)
        try:
            code, told = reconciled(system)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert code == 3
        assert [one["what"] for one in told["notCompared"]] == [what]
        assert told["compared"]["pools"] > 0
    done = system.leaky("reconcile", "--set")
    assert done.returncode == 2
    system.end()
    done = system.leaky("reconcile")
    assert done.returncode == 3
    assert "token on 127.0.0.1" in done.stderr
