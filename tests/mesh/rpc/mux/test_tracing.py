"""A call that is followed, across a stream of many calls."""

import asyncio
from typing import Any

import pytest
from opentelemetry.trace import SpanKind
from prometheus_client import REGISTRY

from mesh.rpc.call import Call
from mesh.telemetry.tracing.calls import TracedChannel, trace_calls
from tests import traced
from tests.mesh.rpc.mux.peer import PATIENCE
from tests.mesh.rpc.serving import STATUS, quotas, served
from tests.traced import UNFOLLOWED, recording, step

pytestmark = pytest.mark.anyio


def frames() -> float:
    return REGISTRY.get_sample_value("mux_frames_total", {"side": "client"}) or 0


class Seen:
    """A handler that keeps its calls."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def __call__(self, _request: Any, call: Call) -> Any:
        self.calls.append(call)
        return STATUS.response()


async def test_a_followed_calls_spans_are_linked_across_the_stream() -> None:
    handler = Seen()
    serving = served(quotas(get_status=handler), interceptors=[trace_calls], multiplexed=True)
    async with serving as up:
        channel, before = TracedChannel(up.channel), frames()
        with recording() as seen, step("request"):
            await channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
        assert frames() == before + 1
    here, calling, request = seen.spans
    assert (here.kind, calling.kind) == (SpanKind.SERVER, SpanKind.CLIENT)
    assert {here.name, calling.name} == {STATUS.path[1:]}
    assert len({traced.trace_of(span) for span in (here, calling, request)}) == 1
    assert traced.parent_of(here) == traced.id_of(calling)
    assert traced.parent_of(calling) == traced.id_of(request)
    for span in (here, calling):
        assert dict(span.attributes or {}) == {
            "rpc.system": "grpc",
            "rpc.service": STATUS.service,
            "rpc.method": STATUS.name,
            "rpc.grpc.status_code": 0,
        }
    (call,) = handler.calls
    assert call.traceparent == f"00-{traced.trace_of(here)}-{traced.id_of(here)}-01"


async def test_calls_of_one_frame_keep_their_own_traces() -> None:
    async with served(quotas(), interceptors=[trace_calls], multiplexed=True) as up:
        channel, before = TracedChannel(up.channel), frames()

        async def ask() -> None:
            with step("request"):
                await channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)

        with recording() as seen:
            await asyncio.gather(*(ask() for _ in range(20)))
        assert frames() == before + 1
    calls = [span for span in seen.spans if span.name == STATUS.path[1:]]
    callers = {
        traced.id_of(span): traced.trace_of(span) for span in calls if span.kind is SpanKind.CLIENT
    }
    parents = {
        traced.parent_of(span): traced.trace_of(span)
        for span in calls
        if span.kind is SpanKind.SERVER
    }
    assert parents == callers
    assert len(set(callers.values())) == 20


async def test_a_call_that_is_not_followed_has_no_span_and_a_trace_all_the_same() -> None:
    handler = Seen()
    serving = served(quotas(get_status=handler), interceptors=[trace_calls], multiplexed=True)
    async with serving as up:
        channel, before = TracedChannel(up.channel), frames()
        with recording(ratio=1.0) as seen:
            await channel.unary(
                STATUS,
                STATUS.request(),
                timeout=PATIENCE,
                metadata={"traceparent": UNFOLLOWED},
            )
            assert seen.spans == ()
        assert frames() == before + 1
    (call,) = handler.calls
    # What the logs of both sides go by.
    assert (call.traceparent, call.trace_id) == (UNFOLLOWED, traced.TRACE)
