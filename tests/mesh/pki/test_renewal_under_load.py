"""Certificates and roots change while calls never stop, and no call notices."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mesh.discovery.instances import Instances
from mesh.errors import AppError
from mesh.pki.authority import Authority, new_root
from mesh.pki.certificates import Certificates
from mesh.pki.mutual_tls import MutualTls
from mesh.rpc import balanced_channel
from mesh.rpc.balanced_channel import BalancedChannel
from mesh.rpc.channel import Channel
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.interceptors.errors import map_errors
from mesh.rpc.mux.channel import MultiplexedChannel
from mesh.rpc.server import Server
from mesh.rpc.streams import closing
from tests.mesh.discovery.waiting import until
from tests.mesh.pki.office import DAY, Office
from tests.mesh.rpc.load import under_load
from tests.mesh.rpc.serving import (
    CREDENTIALS,
    GET,
    STATUS,
    WATCH,
    endless,
    quotas,
    servicing,
    streaming,
)

pytestmark = pytest.mark.anyio
CALLS, CALLERS = 50, 8
BOTH = pytest.mark.parametrize("multiplexed", [False, True], ids=["plain", "multiplexed"])


class Seeing(MutualTls):
    """Remembers which certificates callers have shown."""

    def __init__(self, certificates: Certificates) -> None:
        super().__init__(certificates, connection_seconds=3600)
        self.seen: set[bytes] = set()

    def caller(self, context: Any) -> str:
        self.seen.update(context.auth_context()["x509_pem_cert"])
        return super().caller(context)


class Pair:
    """svc_auth and one of its callers, each with a certificate that may be renewed."""

    def __init__(self, office: Office) -> None:
        self.office = office
        office.issue("auth")
        office.issue("gateway")
        self.auth, self.gateway = office.certificates("auth"), office.certificates("gateway")
        self.finish = asyncio.Event()
        self.begun = asyncio.Event()
        dispatcher = Dispatcher([map_errors])
        dispatcher.add(quotas(get_quota=self._slow, get_status=self._who))
        dispatcher.add(servicing(CREDENTIALS, watch_revocations=endless))
        self.seeing = Seeing(self.auth)
        self.server = Server(dispatcher, self.seeing)
        self.transport = MutualTls(self.gateway, connection_seconds=3600)
        self.instances = Instances()

    async def _slow(self, _request: Any, _call: Any) -> Any:
        self.begun.set()
        await self.finish.wait()
        return GET.response()

    async def _who(self, _request: Any, call: Any) -> Any:
        return STATUS.response(version=call.caller)

    def renew(self, *names: str) -> None:
        """New leaves, by the authority as it is now."""
        for name in names:
            self.office.issue(name)
        self.auth.look()
        self.gateway.look()

    async def shown(self) -> None:
        """Returns when the caller's certificate has been used for a call."""
        await until(lambda: self.gateway.current.chain.encode() in self.seeing.seen)

    @asynccontextmanager
    async def channel(self, *, multiplexed: bool = False) -> AsyncIterator[Channel]:
        channel: Channel = BalancedChannel(self.instances, service="auth", transport=self.transport)
        if multiplexed:
            channel = MultiplexedChannel(
                channel, self.instances, service="auth", transport=self.transport
            )
            await streaming(channel, 1)
        try:
            yield channel
        finally:
            await channel.close()


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    made = Pair(Office(tmp_path))
    port = await made.server.start("127.0.0.1:0")
    made.instances.update([f"127.0.0.1:{port}"])
    yield made
    await made.server.stop(0)


async def believes(pair: Pair, trusted: str) -> bool:
    """Whether somebody who believes these roots alone reaches the server."""
    pair.office.issue("token")
    certificates = pair.office.certificates("token")
    certificates.current = replace(certificates.current, roots=trusted)
    transport = MutualTls(certificates, connection_seconds=3600)
    channel = BalancedChannel(pair.instances, service="auth", transport=transport)
    try:
        await channel.unary(STATUS, STATUS.request(), timeout=5.0)
    except AppError:
        return False
    finally:
        await channel.close()
    return True


@BOTH
async def test_no_call_fails_while_leaves_and_the_root_are_changed(
    pair: Pair, *, multiplexed: bool
) -> None:
    office = pair.office
    former = office.authority.signing.pem
    both = office.authority.with_next(new_root(office.domain, now=office.now))
    after = both.switched()
    async with (
        pair.channel(multiplexed=multiplexed) as channel,
        under_load(channel, CALLERS) as load,
    ):
        await load.goes_on(CALLS)
        for authority in (office.authority, both, after, after.without_former()):
            office.authority = authority
            # In either order: moments come at which one has what the other has not.
            for name in ("gateway", "auth", "gateway"):
                pair.renew(name)
                await load.goes_on(CALLS)
            await pair.shown()
    assert load.failed == []
    assert {who for _, who in load.answered} == {"gateway"}
    assert await believes(pair, office.authority.trusted)
    assert not await believes(pair, former)


async def test_what_is_in_flight_ends_on_the_connection_that_it_began_on(pair: Pair) -> None:
    async with pair.channel() as channel:
        call = asyncio.ensure_future(channel.unary(GET, GET.request(), timeout=20.0))
        await pair.begun.wait()
        async with closing(channel.stream(WATCH, WATCH.request())) as stream:
            assert (await anext(stream)).subject == "first"
            for _ in range(3):
                pair.renew("auth", "gateway")
                await believes(pair, pair.office.authority.trusted)
            assert (await channel.unary(STATUS, STATUS.request())).version == "gateway"
            pair.finish.set()
            assert await call == GET.response()
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            assert not waiting.done()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)


async def test_a_stream_ends_with_the_certificate_that_it_was_begun_with(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What unary calls in flight are given has no part in it.
    monkeypatch.setattr(balanced_channel, "RETIRE_SECONDS", 0.0)
    async with pair.channel() as channel:
        stream = channel.stream(WATCH, WATCH.request())
        assert (await anext(stream)).subject == "first"
        now, left = pair.office.now, pair.gateway.seconds_left(pair.gateway.current)
        pair.office.clock.forward(left - 0.2)
        pair.office.issue("gateway", 2 * DAY, now=now)
        pair.gateway.look()
        async with asyncio.timeout(10):
            with pytest.raises(AppError):
                await anext(stream)
        assert (await channel.unary(STATUS, STATUS.request())).version == "gateway"


async def test_what_is_in_flight_when_a_renewal_comes_late_ends_all_the_same(pair: Pair) -> None:
    async with pair.channel() as channel:
        call = asyncio.ensure_future(channel.unary(GET, GET.request(), timeout=20.0))
        await pair.begun.wait()
        late, now = DAY + dt.timedelta(seconds=1), pair.office.now
        pair.office.clock.forward(late.total_seconds())
        with pytest.raises(AppError):
            await channel.unary(STATUS, STATUS.request())
        # Good for gRPC, too, which goes by the machine's time.
        pair.office.issue("gateway", 3 * DAY, now=now)
        pair.gateway.look()

        async def moved() -> None:
            while pair.gateway.current.chain.encode() not in pair.seeing.seen:
                with suppress(AppError):
                    await channel.unary(STATUS, STATUS.request())

        await asyncio.wait_for(moved(), 10)
        pair.finish.set()
        assert await call == GET.response()


@BOTH
async def test_a_certificate_that_nobody_believes_yet_is_not_used_yet(
    pair: Pair, *, multiplexed: bool
) -> None:
    office = pair.office
    stranger = Authority(roots=(new_root(office.domain, now=office.now),))
    trusted = office.authority.trusted + stranger.trusted
    former, office.authority = office.authority, stranger
    async with (
        pair.channel(multiplexed=multiplexed) as channel,
        under_load(channel, CALLERS) as load,
    ):
        await load.goes_on(CALLS)
        office.issue("gateway", trusted=trusted)
        pair.gateway.look()
        await load.goes_on(CALLS)
        # What it believes does not help it: the server has to.
        office.authority = former
        office.issue("auth", trusted=trusted)
        pair.auth.look()
        await pair.shown()
    assert load.failed == []


async def test_where_nobody_is_there_the_next_connection_shows_the_new_one(tmp_path: Path) -> None:
    pair = Pair(Office(tmp_path))
    async with pair.channel() as channel:
        pair.renew("gateway", "auth")
        port = await pair.server.start("127.0.0.1:0")
        pair.instances.update([f"127.0.0.1:{port}"])
        assert (await channel.unary(STATUS, STATUS.request(), timeout=5.0)).version == "gateway"
    await pair.server.stop(0)
