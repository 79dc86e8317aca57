import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from leaky.auth.v1.credential_service_pb2 import (
    REVOCATION_KIND_API_KEY,
    REVOCATION_KIND_CLIENT,
    REVOCATION_KIND_GRANT,
    REVOCATION_KIND_MEMBERSHIP,
    REVOCATION_KIND_SESSIONS,
    REVOCATION_KIND_TOKEN,
    REVOCATION_KIND_UNSPECIFIED,
    REVOCATION_KIND_USER,
    RevocationKind,
)
from mesh.identity.pulse import Pulse
from mesh.identity.revocations import Revocations
from mesh.identity.revoked import Revoked

if TYPE_CHECKING:
    from tests.mesh.identity.conftest import Auth, Hands

pytestmark = pytest.mark.anyio
PATIENCE = 30.0


class Notebook:
    """A cache that writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.heard: list[Revoked] = []

    def drop(self, revoked: Revoked) -> None:
        kind = RevocationKind.Name(revoked.kind).removeprefix("REVOCATION_KIND_")
        self.lines.append(f"{kind} {revoked.subject}")
        self.heard.append(revoked)

    def clear(self) -> None:
        self.lines.append("clear")


class World:
    def __init__(self, auth: "Auth", clock: "Hands", silence: float = 4.0) -> None:
        self.auth = auth
        self.pulse = Pulse(clock, silence=silence)
        self.notebook = Notebook()
        self.waits: list[float] = []
        self.revocations = Revocations(
            channel=auth.channel(),
            pulse=self.pulse,
            caches=(self.notebook,),
            pause=self._pause,
        )

    async def _pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.revocations.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 the loop's next turn is what is waited for
            await asyncio.sleep(0)


@pytest.fixture
def world(auth: "Auth", clock: "Hands") -> World:
    return World(auth, clock)


async def test_nothing_is_trusted_before_the_first_heartbeat(world: World) -> None:
    async with world.following():
        await until(lambda: len(world.auth.streams) == 1)
        assert not world.pulse.trusted()
        world.auth.revoke(REVOCATION_KIND_UNSPECIFIED, "")
        await until(world.pulse.trusted)
        assert world.notebook.lines == ["clear"]


async def test_trust_ends_after_four_silent_seconds(world: World, clock: "Hands") -> None:
    world.pulse.beat()
    clock.forward(3.999)
    assert world.pulse.trusted()
    clock.forward(0.001)
    assert not world.pulse.trusted()


async def test_each_revocation_reaches_the_caches_in_order(world: World) -> None:
    async with world.following():
        await until(lambda: len(world.auth.streams) == 1)
        world.auth.revoke(REVOCATION_KIND_API_KEY, "key-1")
        world.auth.revoke(REVOCATION_KIND_UNSPECIFIED, "")
        world.auth.revoke(REVOCATION_KIND_USER, "user-1")
        world.auth.revoke(REVOCATION_KIND_MEMBERSHIP, "org-1/user-1")
        world.auth.revoke(REVOCATION_KIND_TOKEN, "jti-1")
        world.auth.revoke(REVOCATION_KIND_SESSIONS, "user-2")
        world.auth.revoke(REVOCATION_KIND_CLIENT, "app-1")
        world.auth.revoke(REVOCATION_KIND_GRANT, "grant-1")
        await until(lambda: len(world.notebook.lines) == 8)
    assert world.notebook.lines == [
        "clear",
        "API_KEY key-1",
        "USER user-1",
        "MEMBERSHIP org-1/user-1",
        "TOKEN jti-1",
        "SESSIONS user-2",
        "CLIENT app-1",
        "GRANT grant-1",
    ]


async def test_what_was_revoked_earlier_is_heard_before_anything_is_trusted(world: World) -> None:
    async with world.following():
        await until(lambda: len(world.auth.streams) == 1)
        world.auth.revoke(REVOCATION_KIND_USER, "user-1", at_us=5_000_001, until_us=7_000_002)
        await until(lambda: len(world.notebook.heard) == 1)
        assert not world.pulse.trusted()
        world.auth.revoke(REVOCATION_KIND_UNSPECIFIED, "")
        await until(world.pulse.trusted)
    assert world.notebook.heard == [
        Revoked(kind=REVOCATION_KIND_USER, subject="user-1", at_us=5_000_001, until_us=7_000_002)
    ]


async def test_after_a_cut_trust_waits_for_all_that_was_revoked(
    world: World, clock: "Hands"
) -> None:
    async with world.following():
        await until(lambda: len(world.auth.streams) == 1)
        world.auth.revoke(REVOCATION_KIND_UNSPECIFIED, "")
        await until(world.pulse.trusted)
        world.auth.cut()
        await until(lambda: len(world.auth.streams) == 2)
        clock.forward(4)
        world.auth.revoke(REVOCATION_KIND_USER, "user-1")
        await until(lambda: len(world.notebook.heard) == 1)
        assert not world.pulse.trusted()
        world.auth.revoke(REVOCATION_KIND_UNSPECIFIED, "")
        await until(world.pulse.trusted)


async def test_a_kind_from_the_future_drops_everything(world: World) -> None:
    async with world.following():
        await until(lambda: len(world.auth.streams) == 1)
        world.auth.revoke(99, "x")  # type: ignore[arg-type]  # a number that this version lacks
        await until(lambda: len(world.notebook.lines) == 2)
    assert world.notebook.lines == ["clear", "clear"]


async def test_a_cut_stream_is_followed_again_and_the_caches_start_anew(world: World) -> None:
    async with world.following():
        await until(lambda: len(world.auth.streams) == 1)
        world.auth.revoke(REVOCATION_KIND_API_KEY, "key-1")
        world.auth.cut()
        await until(lambda: len(world.auth.streams) == 2)
        assert len(world.waits) == 1
        world.auth.revoke(REVOCATION_KIND_API_KEY, "key-2")
        await until(lambda: len(world.notebook.lines) == 4)
        world.auth.streams[-1].put_nowait(None)
        await until(lambda: len(world.auth.streams) == 3)
    assert world.notebook.lines == ["clear", "API_KEY key-1", "clear", "API_KEY key-2"]


async def test_tries_become_rarer_while_svc_auth_is_away(world: World) -> None:
    random.seed(1)
    world.auth.down = True
    async with world.following():
        await until(lambda: len(world.waits) == 50)
        assert max(world.waits) <= 0.5
        assert sum(world.waits[10:]) / len(world.waits[10:]) > 0.15
        assert len(set(world.waits)) > 40
        assert world.notebook.lines == []
        world.auth.down = False
        await until(lambda: len(world.auth.streams) == 1)
        world.auth.revoke(REVOCATION_KIND_UNSPECIFIED, "")
        await until(world.pulse.trusted)
        tried = len(world.waits)
        world.auth.cut()
        await until(lambda: len(world.auth.streams) == 2)
        assert world.waits[tried] <= 0.1


async def test_a_stream_that_falls_silent_is_given_up(auth: "Auth", clock: "Hands") -> None:
    world = World(auth, clock, silence=PATIENCE)

    async def pause(_seconds: float) -> None:
        # However long the next stream's first message takes, it is heard.
        world.pulse.silence = PATIENCE

    world.revocations._pause = pause
    async with world.following():
        await until(lambda: len(auth.streams) == 1)
        # Of what comes next: the first message is waited for already.
        world.pulse.silence = 0.02
        auth.revoke(REVOCATION_KIND_UNSPECIFIED, "")
        await until(lambda: len(auth.streams) == 2)
        auth.revoke(REVOCATION_KIND_UNSPECIFIED, "")
        await until(lambda: world.notebook.lines == ["clear", "clear"])
