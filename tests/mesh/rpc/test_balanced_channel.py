import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.discovery.instances import Instances
from mesh.errors import AppError
from mesh.rpc import balanced_channel
from mesh.rpc.balanced_channel import BalancedChannel
from mesh.rpc.channel import Channel
from mesh.rpc.mux.channel import MultiplexedChannel
from mesh.rpc.resilient import ResilientChannel
from mesh.settings import Live, MeshSettings
from tests.mesh.discovery.waiting import until
from tests.mesh.rpc.instance import instance
from tests.mesh.rpc.load import under_load
from tests.mesh.rpc.serving import (
    CREATE,
    CREDENTIALS,
    STATUS,
    WATCH,
    endless,
    quotas,
    served,
    servicing,
    streaming,
)
from tests.ports import free_port

pytestmark = pytest.mark.anyio
NOBODY = 1


async def named(name: str, _request: Any, _call: Any) -> Any:
    return STATUS.response(version=name)


async def who(channel: BalancedChannel) -> str:
    version: str = (await channel.unary(STATUS, STATUS.request(), timeout=30.0)).version
    return version


async def refusal(channel: BalancedChannel) -> AppError:
    with pytest.raises(AppError) as refused:
        await who(channel)
    assert refused.value.reason == REASON_UNAVAILABLE
    return refused.value


async def test_calls_are_spread_over_all_instances() -> None:
    first, second = (quotas(get_status=partial(named, name)) for name in ("first", "second"))
    async with served(first) as one, served(second) as two:
        channel = BalancedChannel(Instances(f"127.0.0.1:{up.port}" for up in (one, two)))
        # Until both are connected, all go to the one that is.
        async with asyncio.timeout(30):
            while {await who(channel), await who(channel)} != {"first", "second"}:
                pass
        assert Counter([await who(channel) for _ in range(10)]) == {"first": 5, "second": 5}
        await channel.close()


async def test_an_instance_that_is_not_there_gets_no_calls() -> None:
    async with served(quotas(get_status=partial(named, "first"))) as one:
        addresses = [f"127.0.0.1:{NOBODY}", f"127.0.0.1:{one.port}"]
        channel = BalancedChannel(Instances(addresses))
        assert [await who(channel) for _ in range(10)] == ["first"] * 10
        await channel.close()


async def test_without_an_instance_a_call_is_refused_at_once() -> None:
    instances = Instances()
    instances.update(())
    channel = BalancedChannel(instances)
    assert (await refusal(channel)).retry_after == 1
    with pytest.raises(AppError, match="service unavailable"):
        await anext(channel.stream(WATCH, WATCH.request()))
    await channel.close()


async def test_the_first_call_waits_for_the_first_answer() -> None:
    async with served(quotas(get_status=partial(named, "first"))) as one:
        instances = Instances()
        channel = BalancedChannel(instances)
        call = asyncio.ensure_future(who(channel))
        await asyncio.sleep(0)
        assert not call.done()
        instances.update([f"127.0.0.1:{one.port}"])
        assert await call == "first"
        await channel.close()


async def test_a_first_answer_that_never_comes_is_a_refusal() -> None:
    instances = Instances()
    channel = BalancedChannel(instances)
    call = asyncio.ensure_future(refusal(channel))
    await asyncio.sleep(0)
    instances.unanswered()
    await call
    with pytest.raises(AppError):
        await BalancedChannel(Instances()).unary(STATUS, STATUS.request(), timeout=0.01)
    await channel.close()


async def test_who_has_no_time_left_does_not_wait_for_the_first_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(balanced_channel, "FIRST_ANSWER_SECONDS", 1_000.0)
    channel = BalancedChannel(Instances())
    async with asyncio.timeout(30):
        with pytest.raises(AppError):
            await channel.unary(STATUS, STATUS.request(), timeout=0.0)
    await channel.close()


async def test_a_change_sends_new_calls_elsewhere_and_lets_the_others_end() -> None:
    begun, finish = asyncio.Event(), asyncio.Event()

    async def slow(_request: Any, _call: Any) -> Any:
        begun.set()
        await finish.wait()
        return STATUS.response(version="slow")

    fast = quotas(get_status=partial(named, "fast"))
    async with served(quotas(get_status=slow)) as before, served(fast) as after:
        instances = Instances([f"127.0.0.1:{before.port}"])
        channel = BalancedChannel(instances)
        call = asyncio.ensure_future(who(channel))
        await begun.wait()
        instances.update([f"127.0.0.1:{after.port}"])
        assert await who(channel) == "fast"
        finish.set()
        assert await call == "slow"
        await channel.close()


async def test_a_stream_to_an_instance_that_is_no_more_ends_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(balanced_channel, "RETIRE_SECONDS", 0.05)
    async with served(servicing(CREDENTIALS, watch_revocations=endless)) as up:
        instances = Instances([f"127.0.0.1:{up.port}"])
        channel = BalancedChannel(instances)
        stream = channel.stream(WATCH, WATCH.request())
        assert (await anext(stream)).subject == "first"
        instances.update(())
        with pytest.raises(AppError) as ended:
            await anext(stream)
        assert ended.value.reason == REASON_UNAVAILABLE
        await channel.close()


async def test_closing_ends_what_is_in_flight_on_every_set_of_instances() -> None:
    begun = asyncio.Semaphore(0)

    async def stuck(_request: Any, _call: Any) -> Any:
        begun.release()
        await asyncio.Event().wait()

    async with (
        served(quotas(get_status=stuck)) as before,
        served(quotas(get_status=stuck)) as after,
    ):
        instances = Instances([f"127.0.0.1:{before.port}"])
        channel = BalancedChannel(instances)
        calls = [asyncio.ensure_future(refusal(channel))]
        await begun.acquire()
        instances.update([f"127.0.0.1:{after.port}"])
        calls.append(asyncio.ensure_future(refusal(channel)))
        await begun.acquire()
        await channel.close()
        await asyncio.gather(*calls)
        await refusal(channel)
        instances.update([f"127.0.0.1:{before.port}"])
        await refusal(channel)


async def test_the_end_of_the_only_instance_is_not_that_of_one_among_others() -> None:
    port = free_port()
    with instance(port) as only:
        channel = BalancedChannel(Instances([f"127.0.0.1:{port}"]))
        async with under_load(channel, callers=4) as load:
            await load.goes_on(10)
            only.kill()
            only.wait()
            await until(lambda: len(load.failed) > 4)
    assert {type(error) for *_, error in load.failed} == {AppError}
    await channel.close()


def plain(ports: list[int]) -> BalancedChannel:
    return BalancedChannel(Instances(f"127.0.0.1:{port}" for port in ports))


def multiplexed(ports: list[int]) -> MultiplexedChannel:
    return MultiplexedChannel(plain(ports), Instances(f"127.0.0.1:{port}" for port in ports))


KINDS = pytest.mark.parametrize("channel_to", [plain, multiplexed])
To = Callable[[list[int]], Channel]


@KINDS
async def test_only_what_is_in_flight_at_an_instance_that_dies_fails(channel_to: To) -> None:
    ports = [free_port(), free_port()]
    with ExitStack() as stack:
        stack.enter_context(instance(ports[0]))
        victim = stack.enter_context(instance(ports[1]))
        channel = channel_to(ports)
        await streaming(channel, 2)
        now = asyncio.get_running_loop().time
        async with under_load(channel) as load:
            # Both: gRPC by itself may be connected to one of them only, for up to a second.
            for port in ports:
                await load.answers_of(str(port), since=now())
            in_flight = load.in_flight
            victim.kill()
            victim.wait()
            await load.goes_on(500)
            assert len(load.failed) <= in_flight
            # None that was begun when its death was known: those go to the other one.
            known = min((ended for _, ended, _ in load.failed), default=now())
            assert [begun - known for begun, _, _ in load.failed if begun > known] == []
            assert {error.reason for *_, error in load.failed} <= {REASON_UNAVAILABLE}
            stack.enter_context(instance(ports[1]))
            back = now()
            assert await load.answers_of(str(ports[1]), since=back) - back < 20
            failed = len(load.failed)
            await load.goes_on(200)
            assert len(load.failed) == failed
        await channel.close()


@KINDS
async def test_callers_of_what_may_be_retried_see_nothing_of_an_instance_that_dies(
    tmp_path: Path, channel_to: To
) -> None:
    assert STATUS.idempotent
    assert not CREATE.idempotent
    ports = [free_port(), free_port()]
    inner = channel_to(ports)
    channel = ResilientChannel(
        inner=inner,
        target="token",
        settings=Live.read(MeshSettings, {"LEAKY_DATA": str(tmp_path)}),
    )
    with ExitStack() as stack:
        stack.enter_context(instance(ports[0]))
        victim = stack.enter_context(instance(ports[1]))
        await streaming(inner, 2)
        async with (
            under_load(channel, callers=32) as reads,
            under_load(channel, callers=32, method=CREATE) as writes,
        ):
            for port in ports:
                await reads.answers_of(str(port), since=0)
            await writes.goes_on(100)
            in_flight = writes.in_flight
            victim.kill()
            await reads.goes_on(300)
            await writes.goes_on(300)
        assert reads.failed == []
        # More at once than would open a breaker, which would refuse those that follow.
        assert len(writes.failed) <= in_flight
        assert {error.reason for *_, error in writes.failed} <= {REASON_UNAVAILABLE}
    await channel.close()
