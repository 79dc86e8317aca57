"""Over real handlers in this process, on a loop whose clock the test puts forward."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from leaky.common.v1.reason_pb2 import (
    REASON_CIRCUIT_OPEN,
    REASON_DEADLINE_EXCEEDED,
    REASON_FEATURE_DISABLED,
    REASON_INTERNAL,
    REASON_INVALID_ARGUMENT,
    REASON_OVERLOADED,
    REASON_QUOTA_NOT_FOUND,
    REASON_UNAVAILABLE,
    Reason,
)
from mesh.errors import AppError
from mesh.resilience.backoff import Backoff
from mesh.rpc.call import CLIENT_ADDRESS, CURRENT, Call
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.local_channel import LocalChannel
from mesh.rpc.method import Method
from mesh.rpc.resilient import MAX_ATTEMPTS, POLICY, ResilientChannel
from mesh.rpc.streams import closing
from mesh.settings import Live, MeshSettings
from tests.mesh.rpc.serving import (
    CREATE,
    CREDENTIALS,
    EXCHANGE,
    GET,
    STATUS,
    WATCH,
    Loop,
    endless,
    on_travelling_loop,
    quotas,
    servicing,
)

AT_ONCE = Backoff(first=0, cap=0)


class Target:
    """Handlers that follow a script of errors, None being a good answer."""

    def __init__(
        self,
        live: Live[MeshSettings],
        backoff: Backoff = AT_ONCE,
        *,
        tells_client: bool = False,
    ) -> None:
        self.script: Iterator[Reason.ValueType | None] = iter(())
        self.calls: list[Call] = []
        self.during: Callable[[], None] = lambda: None
        dispatcher = Dispatcher([])
        dispatcher.add(quotas(**dict.fromkeys(_QUOTAS, self._handle)))
        dispatcher.add(
            servicing(CREDENTIALS, exchange_api_key=self._handle, watch_revocations=self._watch)
        )
        self.channel = ResilientChannel(
            inner=LocalChannel(dispatcher),
            target="token",
            settings=live,
            tells_client=tells_client,
            backoff=backoff,
        )

    async def _handle(self, _request: Any, call: Call) -> Any:
        self.calls.append(call)
        self.during()
        reason = next(self.script, None)
        if reason is not None:
            raise AppError(reason, "scripted")
        return call.method.response()

    async def _watch(self, request: Any, call: Call) -> Any:
        self.calls.append(call)
        return await endless(request, call)

    def follow(self, *reasons: Reason.ValueType | None) -> None:
        self.script = iter(reasons)

    async def ask(self, method: Method[Any, Any] = GET, **options: Any) -> Any:
        return await self.channel.unary(method, method.request(), **options)

    async def refused(self, method: Method[Any, Any] = GET, **options: Any) -> AppError:
        with pytest.raises(AppError) as caught:
            await self.ask(method, **options)
        return caught.value

    async def meet(self) -> None:
        await self.ask()
        self.calls.clear()

    async def fail(self, times: int, reason: Reason.ValueType = REASON_INTERNAL) -> None:
        self.follow(*[reason] * times)
        for _ in range(times):
            await self.refused(CREATE)


_QUOTAS = ("get_status", "get_quota", "get_org_quota", "create_org_quota", "update_org_quota")


@pytest.fixture
def live(tmp_path: Path) -> Live[MeshSettings]:
    return Live.read(MeshSettings, {"LEAKY_DATA": str(tmp_path)})


def test_a_method_without_side_effects_is_tried_again_while_unavailable(live: Any) -> None:
    async def run(_loop: Loop) -> None:
        target = Target(live)
        target.follow(REASON_UNAVAILABLE, REASON_UNAVAILABLE, None)
        await target.ask()
        assert len(target.calls) == 3

    on_travelling_loop(run)


def test_after_the_last_attempt_its_error_is_told(live: Any) -> None:
    async def run(_loop: Loop) -> None:
        target = Target(live)
        target.follow(*[REASON_UNAVAILABLE] * 9)
        assert (await target.refused()).reason == REASON_UNAVAILABLE
        assert len(target.calls) == MAX_ATTEMPTS

    on_travelling_loop(run)


def test_a_method_with_side_effects_is_tried_once(live: Any) -> None:
    async def run(_loop: Loop) -> None:
        target = Target(live)
        target.follow(REASON_UNAVAILABLE)
        assert (await target.refused(CREATE)).reason == REASON_UNAVAILABLE
        assert len(target.calls) == 1

    on_travelling_loop(run)


@pytest.mark.parametrize(
    "reason",
    [
        REASON_INTERNAL,
        REASON_OVERLOADED,
        REASON_DEADLINE_EXCEEDED,
        REASON_INVALID_ARGUMENT,
        REASON_FEATURE_DISABLED,
        REASON_CIRCUIT_OPEN,
    ],
)
def test_nothing_but_unavailable_is_tried_again(live: Any, reason: Reason.ValueType) -> None:
    async def run(_loop: Loop) -> None:
        target = Target(live)
        target.follow(reason)
        assert (await target.refused()).reason == reason
        assert len(target.calls) == 1

    on_travelling_loop(run)


def test_no_attempt_begins_that_could_not_be_in_time(live: Any) -> None:
    async def run(loop: Loop) -> None:
        target = Target(live)
        target.follow(REASON_UNAVAILABLE)
        target.during = lambda: loop.travel(1.5)
        assert (await target.refused(timeout=1)).reason == REASON_UNAVAILABLE
        assert len(target.calls) == 1

    on_travelling_loop(run)


def test_the_wait_before_an_attempt_counts_against_the_deadline(live: Any) -> None:
    async def run(_loop: Loop) -> None:
        slow = Backoff(first=10, cap=10, random=lambda: 0.5)
        target = Target(live, slow)
        target.follow(REASON_UNAVAILABLE)
        assert (await target.refused()).reason == REASON_UNAVAILABLE
        assert len(target.calls) == 1

    on_travelling_loop(run)


def test_each_attempt_gets_what_is_left(live: Any) -> None:
    async def run(loop: Loop) -> None:
        target = Target(live)
        target.follow(REASON_UNAVAILABLE, None)
        target.during = lambda: loop.travel(0.5)
        start = loop.time()
        await target.ask(timeout=2)
        first, second = (call.deadline - start for call in target.calls)
        assert first == pytest.approx(2, abs=0.1)
        assert second == pytest.approx(2, abs=0.1)

    on_travelling_loop(run)


def test_without_a_timeout_the_class_of_the_method_counts(live: Any) -> None:
    async def run(loop: Loop) -> None:
        live.apply({"deadlines.mesh": "700ms"})
        target = Target(live)
        await target.ask()
        assert target.calls[0].deadline - loop.time() == pytest.approx(0.7, abs=0.1)

    on_travelling_loop(run)


def test_a_call_within_another_that_has_run_out_is_not_sent(live: Any) -> None:
    async def run(loop: Loop) -> None:
        target = Target(live)
        token = CURRENT.set(Call(method=STATUS, metadata={}, deadline=loop.time() - 1))
        assert (await target.refused()).reason == REASON_DEADLINE_EXCEEDED
        CURRENT.reset(token)
        assert target.calls == []

    on_travelling_loop(run)


def test_the_retry_budget_ends_retries_when_everything_fails(live: Any) -> None:
    async def run(_loop: Loop) -> None:
        # Too few calls for the breaker of either service.
        target = Target(live)
        target.follow(*[REASON_UNAVAILABLE] * 99)
        for _ in range(2):
            await target.refused(GET)
        before = len(target.calls)
        assert before == 5
        await target.refused(EXCHANGE)
        assert len(target.calls) == before + 1

    on_travelling_loop(run)


def test_a_breaker_opens_lets_probes_through_after_its_time_and_closes(live: Any) -> None:
    async def run(loop: Loop) -> None:
        target = Target(live)
        await target.meet()
        await target.fail(POLICY.min_calls - 1)
        open_ = await target.refused()
        assert open_.reason == REASON_CIRCUIT_OPEN
        assert open_.retry_after == pytest.approx(POLICY.open_seconds, abs=0.2)
        assert len(target.calls) == POLICY.min_calls - 1
        assert breaker_state() == 2
        loop.travel(POLICY.open_seconds)
        await target.ask()
        assert breaker_state() == 1
        for _ in range(POLICY.half_open):
            await target.ask()
        assert breaker_state() == 0

    on_travelling_loop(run)


def test_who_has_never_answered_is_awaited_and_not_broken(live: Any) -> None:
    async def run(_loop: Loop) -> None:
        target = Target(live)
        await target.fail(POLICY.window, REASON_UNAVAILABLE)
        await target.ask()
        await target.fail(POLICY.min_calls - 2)
        await target.ask()

    on_travelling_loop(run)


def test_a_probe_that_fails_opens_it_again(live: Any) -> None:
    async def run(loop: Loop) -> None:
        target = Target(live)
        await target.meet()
        await target.fail(POLICY.min_calls - 1)
        loop.travel(POLICY.open_seconds)
        await target.fail(1, REASON_UNAVAILABLE)
        assert (await target.refused()).reason == REASON_CIRCUIT_OPEN

    on_travelling_loop(run)


def breaker_state() -> float | None:
    name = f"token:{GET.service}"
    return REGISTRY.get_sample_value("breaker_state", {"name": name})


def test_one_broken_service_of_a_target_does_not_close_the_others(live: Any) -> None:
    async def run(_loop: Loop) -> None:
        target = Target(live)
        await target.meet()
        await target.fail(POLICY.min_calls - 1)
        assert (await target.refused()).reason == REASON_CIRCUIT_OPEN
        await target.ask(EXCHANGE)

    on_travelling_loop(run)


@pytest.mark.parametrize(
    "reason",
    [
        REASON_INVALID_ARGUMENT,
        REASON_QUOTA_NOT_FOUND,
        REASON_OVERLOADED,
        # Both travel as gRPC's UNAVAILABLE, and the target answered in good health.
        REASON_FEATURE_DISABLED,
        REASON_CIRCUIT_OPEN,
    ],
)
def test_a_refusal_is_no_failure_of_the_target(live: Any, reason: Reason.ValueType) -> None:
    async def run(_loop: Loop) -> None:
        target = Target(live)
        await target.fail(POLICY.window * 2, reason)
        await target.ask()

    on_travelling_loop(run)


def test_a_cancelled_call_says_nothing_of_the_target(live: Any) -> None:
    async def run(_loop: Loop) -> None:
        target = Target(live)

        def cancel() -> None:
            raise asyncio.CancelledError

        target.during = cancel
        for _ in range(POLICY.window * 2):
            with pytest.raises(asyncio.CancelledError):
                await target.ask()
        target.during = lambda: None
        await target.ask()

    on_travelling_loop(run)


def test_what_is_given_is_handed_on_as_it_is(live: Any) -> None:
    async def run(_loop: Loop) -> None:
        target = Target(live)
        given: Mapping[str, str] = {"authorization": "Bearer t"}
        await target.ask(STATUS, metadata=given)
        await target.ask(GET, metadata=given)
        async with closing(target.channel.stream(WATCH, WATCH.request(), metadata=given)) as stream:
            await anext(stream)
        assert [dict(call.metadata) for call in target.calls] == [given, given, given]

    on_travelling_loop(run)


def test_the_trace_of_the_call_being_served_is_handed_on(live: Any) -> None:
    async def run(_loop: Loop) -> None:
        target = Target(live)
        outer = Call(method=STATUS, metadata={}, correlation_id="c", traceparent="00-a-b-01")
        token = CURRENT.set(outer)
        await target.ask()
        await target.ask(metadata={"x-correlation-id": "own"})
        CURRENT.reset(token)
        first, second = target.calls
        assert dict(first.metadata) == {"x-correlation-id": "c", "traceparent": "00-a-b-01"}
        assert second.metadata["x-correlation-id"] == "own"

    on_travelling_loop(run)


def test_who_asks_for_it_is_told_the_clients_address(live: Any) -> None:
    async def run(_loop: Loop) -> None:
        address = {CLIENT_ADDRESS: "192.0.2.7"}
        outer = Call(method=STATUS, metadata={}, client_address="192.0.2.1")
        for target, given, sent in (
            (Target(live), address, {}),
            (Target(live, tells_client=True), address, address),
            (Target(live, tells_client=True), {}, {CLIENT_ADDRESS: "192.0.2.1"}),
        ):
            token = CURRENT.set(outer)
            await target.ask(STATUS, metadata=given)
            CURRENT.reset(token)
            assert dict(target.calls[0].metadata) == sent
        alone = Target(live, tells_client=True)
        await alone.ask(STATUS)
        assert dict(alone.calls[0].metadata) == {}

    on_travelling_loop(run)
