"""The rules of following, with answers and a clock of the test's own.

tests/full/consul follows a real Consul.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from consul.exceptions import ACLPermissionDenied
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from mesh.discovery.follower import HOLD_SECONDS, UNINDEXED_SECONDS, WAIT_SECONDS, Follower
from mesh.discovery.instances import Instances
from mesh.discovery.outage import Outage
from mesh.discovery.remembered import Remembered

pytestmark = pytest.mark.anyio
AWAY = aiohttp.ClientConnectionError("refused")


@dataclass(kw_only=True)
class Answer:
    """What Consul says next, `after` seconds."""

    index: str = "1"
    hosts: Sequence[str] = ()
    after: float = 0.0
    error: BaseException | None = None


@dataclass
class Script:
    """A client, a clock and a pause that follow a list of answers."""

    answers: list[Answer]
    now: float = 0.0
    asked: list[dict[str, Any]] = field(default_factory=list)
    paused: list[float] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def health(self) -> "Script":
        return self

    async def service(self, name: str, **asked: Any) -> tuple[str, list[dict[str, Any]]]:
        self.asked.append({"name": name, **asked})
        if not self.answers:
            self.ended.set()
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        self.now += answer.after
        if answer.error is not None:
            raise answer.error
        nodes = [{"Service": {"Address": host, "Port": 1}} for host in answer.hosts]
        return answer.index, nodes

    def monotonic(self) -> float:
        return self.now

    def now_us(self) -> int:
        return int(self.now * 1e6)

    async def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.now += seconds


@asynccontextmanager
async def followed(
    data: Path, *answers: Answer, known: Sequence[str] = ()
) -> AsyncIterator[tuple[Script, Instances]]:
    """Once all answers have been taken."""
    script, instances = Script(list(answers)), Instances(known)
    follower = Follower(
        client=script,
        service="token",
        name="token",
        instances=instances,
        remembered=Remembered(data),
        outage=Outage(),
        clock=script,
        pause=script.pause,
    )
    running = asyncio.ensure_future(follower.run())
    await script.ended.wait()
    try:
        yield script, instances
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def metric(name: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"service": "token"})


async def test_healthy_instances_are_asked_for_and_waited_for(tmp_path: Path) -> None:
    async with followed(
        tmp_path, Answer(index="5", hosts=["10.0.0.1"]), Answer(index="8", hosts=["10.0.0.2"])
    ) as (script, instances):
        assert instances.current == ("10.0.0.2:1",)
        assert [asked["index"] for asked in script.asked] == [None, 5, 8]
        assert {asked["passing"] for asked in script.asked} == {True}
        assert {asked["wait"] for asked in script.asked} == {f"{WAIT_SECONDS:.0f}s"}
        assert metric("discovery_instances") == 1
        assert Remembered(tmp_path).read("token") == ("10.0.0.2:1",)


async def test_an_index_that_goes_back_begins_anew(tmp_path: Path) -> None:
    async with followed(tmp_path, Answer(index="9"), Answer(index="3")) as (script, _):
        assert [asked["index"] for asked in script.asked] == [None, 9, None]


async def test_answers_that_cannot_be_waited_on_are_no_storm(tmp_path: Path) -> None:
    async with followed(tmp_path, *[Answer(index="0")] * 3) as (script, _):
        assert script.paused == [UNINDEXED_SECONDS] * 3


async def test_an_error_changes_nothing_and_begins_anew(tmp_path: Path) -> None:
    known = Answer(index="5", hosts=["10.0.0.1"])
    errors = [Answer(error=AWAY), Answer(error=ACLPermissionDenied("no")), Answer(index="what")]
    with capture_logs() as logs:
        async with followed(tmp_path, known, *errors) as (script, instances):
            assert instances.current == ("10.0.0.1:1",)
            assert [asked["index"] for asked in script.asked] == [None, 5, None, None, None]
            assert metric("discovery_stale") == 1
    assert [log["event"] for log in logs] == [
        "Consul does not answer, what was known last stays",
    ]


async def test_an_answer_ends_an_outage(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with followed(tmp_path, Answer(error=AWAY), Answer(hosts=["10.0.0.1"])) as (
            script,
            instances,
        ):
            assert instances.current == ("10.0.0.1:1",)
            assert metric("discovery_stale") == 0
            script.now += 3
            assert metric("discovery_answer_age_seconds") == pytest.approx(3, abs=0.2)
    assert [log["log_level"] for log in logs] == ["warning", "info"]


async def test_without_any_answer_callers_do_not_wait_for_one(tmp_path: Path) -> None:
    async with followed(tmp_path, Answer(error=AWAY)) as (_, instances):
        assert instances.is_known
        assert instances.current == ()


async def test_an_empty_answer_leaves_what_is_known_for_a_while(tmp_path: Path) -> None:
    known = Answer(hosts=["10.0.0.1"])
    empty = [Answer(after=WAIT_SECONDS - 1) for _ in range(3)]
    async with followed(tmp_path, known, *empty) as (_, instances):
        assert instances.current == ("10.0.0.1:1",)
    async with followed(tmp_path, known, *empty, Answer(after=HOLD_SECONDS)) as (_, instances):
        assert instances.current == ()


async def test_the_wait_ends_when_what_is_known_is_to_be_forgotten(tmp_path: Path) -> None:
    nearly = Answer(after=HOLD_SECONDS - 4)
    async with followed(tmp_path, Answer(hosts=["10.0.0.1"]), Answer(), nearly) as (script, _):
        assert script.asked[-1]["wait"] == "4s"


async def test_who_was_empty_once_and_came_back_has_all_the_time_again(tmp_path: Path) -> None:
    known, late = Answer(hosts=["10.0.0.1"]), Answer(after=HOLD_SECONDS - 1)
    async with followed(tmp_path, known, Answer(), known, late, late) as (_, instances):
        assert instances.current == ("10.0.0.1:1",)


async def test_what_was_known_before_a_restart_serves_until_there_is_an_answer(
    tmp_path: Path,
) -> None:
    async with followed(tmp_path, Answer(error=AWAY), Answer(), known=["10.0.0.7:1"]) as (
        _,
        instances,
    ):
        assert instances.current == ("10.0.0.7:1",)
    answer = Answer(hosts=["10.0.0.1"])
    async with followed(tmp_path, answer, known=["10.0.0.7:1"]) as (_, instances):
        assert instances.current == ("10.0.0.1:1",)
