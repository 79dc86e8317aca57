"""What `make run-full` runs: on parts of its own, twice on the same data, and nothing is left."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.parts.whole import needs_all
from tests.e2e.system import System, gone, until
from tests.parts import native
from tests.parts.urls import REAL
from tests.ports import free_ports

# Reached only on failure.
LATE_SECONDS = 60
pytestmark = [needs_all, pytest.mark.e2e]
ROOT = Path(__file__).parents[3]


class RunFull(System):
    """A system that brings its parts with it, all under one folder."""

    command = (str(ROOT / "scripts" / "run-full.sh"),)
    # The parts' own time is in both.
    start_seconds = 600.0
    end_seconds = 120.0

    def __init__(self, folder: Path) -> None:
        names = [name for part in REAL for name in native.PORTS[part]]
        ports = zip(names, map(str, free_ports(len(names))), strict=True)
        super().__init__(folder / "system", {"LEAKY_PARTS": str(folder), **dict(ports)})
        self.folder = folder

    def parts(self) -> dict[str, int]:
        """What each part's script says of it: 0 it answers, 3 it does not run."""
        return {one: native.NativePart(name=one, folder=self.folder).status() for one in REAL}

    def processes(self) -> set[int]:
        """The parts, the system, and whatever else has been told of its folder."""
        found = {int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()}
        return {pid for pid in found - {os.getpid()} if self._names(pid) and not gone(pid)}

    def _names(self, pid: int) -> bool:
        try:
            told = [Path(f"/proc/{pid}/{one}").read_bytes() for one in ("cmdline", "environ")]
        except OSError:
            return False
        return any(os.fsencode(self.folder) in one for one in told)

    def consume(self, user: str) -> None:
        body = {"userId": user, "provider": "openai", "tokens": 7}
        answer = httpx.post(f"{self.url()}/api/v1/tokens/consume", json=body, timeout=15)
        assert answer.status_code == 200, answer.text

    def charged(self, user: str) -> int:
        query = {"userId": user, "provider": "openai"}
        answer = httpx.get(f"{self.url()}/api/v1/tokens/quota", params=query, timeout=15)
        body = answer.raise_for_status().json()
        return int(body["totalTokens"] - body["remainingTokens"])

    def used(self, user: str) -> int:
        url = f"{self.url()}/api/v1/analytics/users/{user}?windowMinutes=60"
        return int(httpx.get(url, timeout=15).raise_for_status().json()["totalTokens"])


@pytest.fixture
def run_full() -> Iterator[RunFull]:
    with native.private_folder() as folder:
        system = RunFull(folder)
        try:
            yield system
        finally:
            system.end()
            for part in REAL:
                native.NativePart(name=part, folder=folder).stop()


def test_what_was_consumed_is_known_after_a_restart_and_nothing_is_left(run_full: RunFull) -> None:
    user = str(uuid.uuid4())
    run_full.start()
    assert {"gateway", "gateway.2", "token", "token.2"} <= run_full.pids().keys()
    run_full.consume(user)
    until(lambda: run_full.used(user) == 7, LATE_SECONDS)
    assert len(run_full.processes()) > len(run_full.pids())
    run_full.end()
    assert set(run_full.parts().values()) == {3}
    until(lambda: not run_full.processes(), LATE_SECONDS)
    # One of the parts is somebody's now: it stays when all else ends.
    redis = native.NativePart(name="redis", folder=run_full.folder)
    redis.start()
    pid = redis.pid
    run_full.start()
    until(lambda: (run_full.charged(user), run_full.used(user)) == (7, 7), LATE_SECONDS)
    run_full.consume(user)
    until(lambda: run_full.used(user) == 14, LATE_SECONDS)
    run_full.end()
    assert run_full.parts() == {**dict.fromkeys(REAL, 3), "redis": 0}
    assert redis.pid == pid
    until(lambda: run_full.processes() == {pid}, LATE_SECONDS)
