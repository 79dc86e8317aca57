"""What every kind of channel does: the plain one, and the one of many calls on a stream."""

import asyncio
import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import pytest

from leaky.common.v1.reason_pb2 import (
    REASON_DEADLINE_EXCEEDED,
    REASON_INSUFFICIENT_QUOTA,
    REASON_INTERNAL,
    REASON_INVALID_ARGUMENT,
    REASON_OVERLOADED,
    REASON_RATE_LIMITED,
    REASON_UNAVAILABLE,
    REASON_UNIMPLEMENTED,
)
from leaky.token.v1.consume_service_pb2 import ConsumeResponse
from mesh.errors import AppError, FieldViolation
from mesh.rpc.call import Call
from tests.mesh.discovery.waiting import until
from tests.mesh.rpc.serving import (
    CONSUME,
    CREDENTIALS,
    GET,
    STATUS,
    WATCH,
    Hang,
    Served,
    endless,
    failure,
    quotas,
    served,
    servicing,
)

pytestmark = pytest.mark.anyio
PATIENCE = 20.0
MANY = 1_000
Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture(params=["plain", "multiplexed"])
def serving(request: pytest.FixtureRequest) -> Serve:
    """`served`, with the kind of channel that the test is about."""
    return partial(served, multiplexed=request.param == "multiplexed")


async def refusal(serving: Serve, error: AppError) -> AppError:
    """What arrives at the caller of a handler that raises the error."""

    async def refuse(_request: Any, _call: Any) -> Any:
        raise error

    async with serving(quotas(get_quota=refuse)) as up:
        return await failure(up.channel.unary(GET, GET.request(), timeout=PATIENCE))


async def test_a_response_arrives(serving: Serve) -> None:
    async def answer(request: Any, _call: Any) -> Any:
        return GET.response(quota={"user_id": request.user_id, "total_tokens": 7})

    async with serving(quotas(get_quota=answer)) as up:
        got = await up.channel.unary(GET, GET.request(user_id="u"), timeout=PATIENCE)
    assert (got.quota.user_id, got.quota.total_tokens) == ("u", 7)


async def test_a_refusal_arrives_with_its_body_and_its_wait(serving: Serve) -> None:
    body = ConsumeResponse(capacity=1000, used=1000, wait_seconds=2)
    full = AppError(REASON_RATE_LIMITED, "full", details=(body,), retry_after=1.5)
    got = await refusal(serving, full)
    assert (got.reason, got.message, got.details) == (REASON_RATE_LIMITED, "full", (body,))
    assert got.retry_after == 1.5


async def test_a_refusal_arrives_with_its_fields_however_many(serving: Serve) -> None:
    violations = tuple(
        FieldViolation(field=f"events[{index}].tokens", message="must be between 1 and 10000")
        for index in range(300)
    )
    bad = AppError(REASON_INVALID_ARGUMENT, "x" * 8000, violations=violations)
    got = await refusal(serving, bad)
    assert (got.reason, got.violations) == (REASON_INVALID_ARGUMENT, violations)


@pytest.mark.parametrize(("sent", "received"), [(5_000_000, 0), (0, 5_000_000)])
async def test_a_message_that_is_too_long_fails_alone(
    sent: int, received: int, serving: Serve
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def answer(request: Any, _call: Any) -> Any:
        if request.provider == "other":
            begun.set()
            await go_on.wait()
            return GET.response()
        return GET.response(quota={"user_id": "u" * received})

    async with serving(quotas(get_quota=answer)) as up:
        other = GET.request(provider="other")
        beside = asyncio.ensure_future(up.channel.unary(GET, other, timeout=PATIENCE))
        await begun.wait()
        long = GET.request(user_id="u" * sent)
        error = await failure(up.channel.unary(GET, long, timeout=PATIENCE))
        assert error.reason == REASON_OVERLOADED
        go_on.set()
        assert await beside == GET.response()


@pytest.mark.parametrize(("sent", "received"), [(3_500_000, 0), (0, 4_000_000)])
async def test_a_long_message_arrives(sent: int, received: int, serving: Serve) -> None:
    async def answer(request: Any, _call: Any) -> Any:
        return GET.response(quota={"user_id": "u" * received or str(len(request.user_id))})

    async with serving(quotas(get_quota=answer)) as up:
        long = GET.request(user_id="u" * sent)
        got = await up.channel.unary(GET, long, timeout=PATIENCE)
        assert got.quota.user_id == ("u" * received or str(sent))


async def test_reasons_that_share_a_code_stay_apart(serving: Serve) -> None:
    got = await refusal(serving, AppError(REASON_INSUFFICIENT_QUOTA, "insufficient token quota"))
    assert got.reason == REASON_INSUFFICIENT_QUOTA


async def test_no_answer_in_time_is_deadline_exceeded(serving: Serve) -> None:
    async def hang(_request: Any, _call: Any) -> Any:
        await asyncio.Event().wait()

    async with serving(quotas(get_status=hang)) as up:
        got = await failure(up.channel.unary(STATUS, STATUS.request(), timeout=0.01))
    assert got.reason == REASON_DEADLINE_EXCEEDED


async def test_a_closed_channel_fails_its_calls_and_does_not_cancel_their_tasks(
    serving: Serve,
) -> None:
    begun = asyncio.Event()

    async def hang(_request: Any, _call: Any) -> Any:
        begun.set()
        await asyncio.Event().wait()

    credentials = servicing(CREDENTIALS, watch_revocations=endless)
    async with serving(quotas(get_status=hang), credentials) as up:
        stream = up.channel.stream(WATCH, WATCH.request())
        await anext(stream)
        call = asyncio.ensure_future(up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE))
        waiting = asyncio.ensure_future(anext(stream))
        await begun.wait()
        await up.channel.close()
        assert (await failure(call)).reason == REASON_UNAVAILABLE
        assert (await failure(waiting)).reason == REASON_UNAVAILABLE
        late = up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
        assert (await failure(late)).reason == REASON_UNAVAILABLE
        late_stream = up.channel.stream(WATCH, WATCH.request())
        assert (await failure(anext(late_stream))).reason == REASON_UNAVAILABLE


async def test_a_cancelled_caller_is_cancelled_and_so_is_the_handler(serving: Serve) -> None:
    hang = Hang()
    async with serving(quotas(get_status=hang)) as up:
        call = asyncio.ensure_future(up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE))
        await hang.begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(PATIENCE):
            await hang.ended.wait()


async def test_what_is_known_of_a_call_arrives_with_it(serving: Serve) -> None:
    calls: list[Call] = []

    async def note(_request: Any, call: Call) -> Any:
        calls.append(call)
        return STATUS.response()

    said = {
        "authorization": "Bearer t",
        "x-correlation-id": "c",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    now = asyncio.get_running_loop().time
    async with serving(quotas(get_status=note)) as up:
        await up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE, metadata=said)
        await up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
    with_all, with_nothing = calls
    assert {key: with_all.metadata[key] for key in said} == said
    assert not said.keys() & with_nothing.metadata.keys()
    assert (with_all.correlation_id, with_all.traceparent) == ("c", said["traceparent"])
    assert with_all.client_address == "127.0.0.1"
    # gRPC rounds a timeout up, to three digits of it.
    assert 0 < with_all.deadline - now() <= PATIENCE + 0.1


async def test_a_method_that_is_not_served_there_is_unimplemented(serving: Serve) -> None:
    async with serving(quotas()) as up:
        got = await failure(up.channel.unary(CONSUME, CONSUME.request(), timeout=PATIENCE))
    assert got.reason == REASON_UNIMPLEMENTED


async def test_an_error_that_nobody_expected_says_nothing(serving: Serve) -> None:
    async def fail(_request: Any, _call: Any) -> Any:
        raise RuntimeError("a secret")

    async def mumble(_request: Any, _call: Any) -> Any:
        return "no message"

    async with serving(quotas(get_status=fail, get_quota=mumble)) as up:
        for method in (STATUS, GET):
            got = await failure(up.channel.unary(method, method.request(), timeout=PATIENCE))
            assert (got.reason, got.message) == (REASON_INTERNAL, "internal error")


async def test_a_slow_call_holds_up_no_other(serving: Serve) -> None:
    go_on = asyncio.Event()

    async def slow(_request: Any, _call: Any) -> Any:
        await go_on.wait()
        return GET.response()

    async with serving(quotas(get_quota=slow)) as up:
        waiting = asyncio.ensure_future(up.channel.unary(GET, GET.request(), timeout=PATIENCE))
        for _ in range(100):
            await up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
        assert not waiting.done()
        go_on.set()
        assert await waiting == GET.response()


async def test_a_thousand_calls_that_nobody_waits_for_any_more_leave_nothing(
    serving: Serve,
) -> None:
    begun, running = 0, 0

    async def hang(_request: Any, _call: Any) -> Any:
        nonlocal begun, running
        begun, running = begun + 1, running + 1
        try:
            await asyncio.Event().wait()
        finally:
            running -= 1

    async with serving(quotas(get_status=hang)) as up:
        calls = [
            asyncio.ensure_future(up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE))
            for _ in range(MANY)
        ]
        await until(lambda: begun == MANY)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await until(lambda: running == 0)
        assert all(call.cancelled() for call in calls)
        assert (await up.channel.unary(GET, GET.request(), timeout=PATIENCE)) == GET.response()


@pytest.mark.parametrize("size", [0, 1, 300_000, 3_000_000])
async def test_messages_of_every_size_travel_both_ways(serving: Serve, size: int) -> None:
    async def echo(request: Any, _call: Any) -> Any:
        return GET.response(quota={"user_id": request.user_id})

    async with serving(quotas(get_quota=echo)) as up:
        said = "x" * size
        got = await up.channel.unary(GET, GET.request(user_id=said), timeout=PATIENCE)
        assert got.quota.user_id == said


async def test_a_stream_of_responses_comes_as_ever(serving: Serve) -> None:
    async with serving(servicing(CREDENTIALS, watch_revocations=endless)) as up:
        stream = up.channel.stream(WATCH, WATCH.request())
        assert (await anext(stream)).subject == "first"
        await stream.aclose()  # type: ignore[attr-defined] # ours are generators


async def test_what_is_in_flight_when_the_server_drains_is_answered(serving: Serve) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_request: Any, _call: Any) -> Any:
        begun.set()
        await go_on.wait()
        return GET.response()

    async with serving(quotas(get_quota=slow)) as up:
        waiting = asyncio.ensure_future(up.channel.unary(GET, GET.request(), timeout=PATIENCE))
        await begun.wait()
        stopping = asyncio.ensure_future(up.server.stop(PATIENCE))
        got = await _refused(up)
        assert got.reason == REASON_UNAVAILABLE
        go_on.set()
        assert await waiting == GET.response()
        async with asyncio.timeout(PATIENCE / 2):
            await stopping


async def _refused(up: Served) -> AppError:
    """What new calls get once it is known that the server drains."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
            except AppError as error:
                return error


async def test_a_handler_that_waits_for_what_is_cancelled_answers_all_the_same(
    serving: Serve,
) -> None:
    async def wait(_request: Any, _call: Any) -> Any:
        shared = asyncio.get_running_loop().create_future()
        shared.cancel()
        await shared

    async with serving(quotas(get_status=wait)) as up:
        call = up.channel.unary(STATUS, STATUS.request(), timeout=10 * PATIENCE)
        async with asyncio.timeout(PATIENCE):
            assert (await failure(call)).reason == REASON_UNAVAILABLE


async def test_a_call_may_have_no_end(serving: Serve) -> None:
    seen: list[Call] = []

    async def note(_request: Any, call: Call) -> Any:
        seen.append(call)
        return STATUS.response()

    async with serving(quotas(get_status=note)) as up:
        await up.channel.unary(STATUS, STATUS.request(), timeout=math.inf)
    assert [call.deadline for call in seen] == [math.inf]
