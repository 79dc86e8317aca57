"""One trace over real connections, with OpenTelemetry's own instrumentation at either end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from opentelemetry.instrumentation.grpc import aio_client_interceptors, aio_server_interceptor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from leaky.common.v1.reason_pb2 import REASON_INTERNAL, REASON_INVALID_ARGUMENT
from mesh.errors import AppError
from mesh.identity.principal import Principal
from mesh.rpc.call import CURRENT, Call
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.grpc_channel import GrpcChannel
from mesh.rpc.local_channel import LocalChannel
from mesh.rpc.resilient import ResilientChannel
from mesh.rpc.server import Server
from mesh.settings import Live, MeshSettings
from mesh.telemetry.tracing.calls import TracedChannel, trace_calls
from tests import traced
from tests.mesh.rpc.serving import GET, STATUS, quotas
from tests.traced import FOLLOWED, OUTSIDE, TRACE, UNFOLLOWED, Recorder, recording, step

pytestmark = pytest.mark.anyio
PATIENCE = 20.0
NAME = STATUS.path[1:]


@dataclass
class Chain:
    """A service that calls another, over gRPC; what the last one saw."""

    first: ResilientChannel
    port: int
    calls: list[Call] = field(default_factory=list)
    error: AppError | None = None

    async def ask(self, **metadata: str) -> None:
        await self.first.unary(STATUS, STATUS.request(), timeout=PATIENCE, metadata=metadata)


def channel_to(port: int, settings: Live[MeshSettings]) -> ResilientChannel:
    inner = TracedChannel(GrpcChannel(f"127.0.0.1:{port}"))
    return ResilientChannel(inner=inner, target="t", settings=settings)


@asynccontextmanager
async def serving(**handlers: Any) -> AsyncIterator[int]:
    dispatcher = Dispatcher([trace_calls])
    dispatcher.add(quotas(**handlers))
    server = Server(dispatcher)
    try:
        yield await server.start("127.0.0.1:0")
    finally:
        await server.stop(0)


@pytest.fixture
async def chain() -> AsyncIterator[Chain]:
    settings = Live.read(MeshSettings, {})

    async def last(_request: Any, call: Call) -> Any:
        made.calls.append(call)
        if made.error is not None:
            raise made.error
        return STATUS.response()

    async def first(_request: Any, call: Call) -> Any:
        call.principal = Principal(user_id="u-1", token="secret-token")
        return await second.unary(STATUS, STATUS.request())

    async with serving(get_status=last) as behind, serving(get_status=first) as front:
        second = channel_to(behind, settings)
        made = Chain(first=channel_to(front, settings), port=front)
        yield made
        await made.first.close()
        await second.close()


async def test_a_call_through_two_services_is_one_trace(chain: Chain) -> None:
    with recording() as seen:
        await chain.ask(traceparent=FOLLOWED, tracestate="vendor=1")
    assert {traced.trace_of(span) for span in seen.spans} == {TRACE}
    last, between, front = seen.spans
    assert [span.kind for span in seen.spans] == [SpanKind.SERVER, SpanKind.CLIENT, SpanKind.SERVER]
    assert traced.parent_of(front) == OUTSIDE
    assert traced.parent_of(between) == traced.id_of(front)
    assert traced.parent_of(last) == traced.id_of(between)
    assert dict(last.attributes or {}) == {
        "rpc.system": "grpc",
        "rpc.service": STATUS.service,
        "rpc.method": "GetStatus",
        "rpc.grpc.status_code": 0,
    }
    assert (front.attributes or {})["enduser.id"] == "u-1"
    (call,) = chain.calls
    assert (call.trace_id, call.tracestate, call.sampled) == (TRACE, "vendor=1", True)
    assert call.traceparent == f"00-{TRACE}-{traced.id_of(last)}-01"
    assert all("secret-token" not in span.to_json() for span in seen.spans)


@pytest.mark.parametrize("ratio", [0.0, 1.0])
async def test_who_says_that_it_is_not_followed_is_not(chain: Chain, ratio: float) -> None:
    with recording(ratio) as seen:
        await chain.ask(traceparent=UNFOLLOWED, tracestate="vendor=1")
        assert seen.spans == ()
    (call,) = chain.calls
    assert (call.traceparent, call.tracestate) == (UNFOLLOWED, "vendor=1")


@pytest.mark.parametrize("given", [{}, {"traceparent": "garbage"}])
async def test_a_call_that_brings_no_trace_begins_one(chain: Chain, given: dict[str, str]) -> None:
    with recording(1.0) as seen:
        await chain.ask(**given)
        last, _, front = seen.spans
        assert front.parent is None
        assert {traced.trace_of(span) for span in seen.spans} == {chain.calls[0].trace_id}
    with recording(0.0) as seen:
        await chain.ask(**given)
        assert seen.spans == ()
    assert last.status.status_code is StatusCode.UNSET
    again = chain.calls[1]
    assert len(again.trace_id) == 32
    assert again.traceparent.endswith("-00")


@pytest.mark.parametrize(
    ("reason", "code", "fault"),
    [(REASON_INVALID_ARGUMENT, 3, StatusCode.UNSET), (REASON_INTERNAL, 13, StatusCode.ERROR)],
)
async def test_a_server_has_to_answer_for_its_own_faults(
    chain: Chain, reason: Any, code: int, fault: StatusCode
) -> None:
    chain.error = AppError(reason, "the password is hunter2")
    with recording() as seen, pytest.raises(AppError):
        await chain.ask(traceparent=FOLLOWED)
    last, between, _ = seen.spans
    assert (last.status.status_code, between.status.status_code) == (fault, StatusCode.ERROR)
    for span in (last, between):
        assert (span.attributes or {})["rpc.grpc.status_code"] == code
        assert "hunter2" not in span.to_json()


async def test_a_call_within_the_process_is_a_step_of_it() -> None:
    dispatcher = Dispatcher([trace_calls])
    dispatcher.add(quotas())
    with recording() as seen:
        with step("request"):
            await LocalChannel(dispatcher).unary(
                STATUS, STATUS.request(), metadata={"traceparent": FOLLOWED}
            )
        here, request = seen.spans
    assert (here.name, here.kind) == (NAME, SpanKind.INTERNAL)
    assert traced.parent_of(here) == traced.id_of(request)


async def test_what_is_traced_elsewhere_is_handed_on_while_nothing_is_here(chain: Chain) -> None:
    await chain.ask(traceparent=FOLLOWED)
    (call,) = chain.calls
    assert (call.traceparent, CURRENT.get()) == (FOLLOWED, None)


def others(exporter: InMemorySpanExporter) -> TracerProvider:
    """What somebody else's process has, instrumented by OpenTelemetry."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


async def test_a_caller_that_opentelemetry_instruments_is_in_the_same_trace(chain: Chain) -> None:
    exporter = InMemorySpanExporter()
    instrumented: Any = aio_client_interceptors
    interceptors = instrumented(tracer_provider=others(exporter))
    target = f"127.0.0.1:{chain.port}"
    with recording() as seen:
        async with grpc.aio.insecure_channel(target, interceptors=interceptors) as channel:
            stub = channel.unary_unary(
                STATUS.path, STATUS.request.SerializeToString, STATUS.response.FromString
            )
            await stub(STATUS.request(), timeout=PATIENCE)
            await asyncio.sleep(0)
    (theirs,) = exporter.get_finished_spans()
    front = seen.spans[-1]
    assert traced.parent_of(front) == traced.id_of(theirs)
    assert traced.trace_of(front) == traced.trace_of(theirs)


async def test_a_service_that_opentelemetry_instruments_is_in_the_same_trace() -> None:
    exporter = InMemorySpanExporter()

    async def answer(_request: bytes, _context: Any) -> Any:
        return GET.response().SerializeToString()

    instrumented: Any = aio_server_interceptor
    server = grpc.aio.server(interceptors=[instrumented(others(exporter))])
    handler: Any = grpc.unary_unary_rpc_method_handler(answer)
    generic = grpc.method_handlers_generic_handler(GET.service, {GET.name: handler})
    server.add_generic_rpc_handlers((generic,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = channel_to(port, Live.read(MeshSettings, {}))
    with recording() as seen, step():
        await channel.unary(GET, GET.request(), timeout=PATIENCE)
    await channel.close()
    await server.stop(0)
    (theirs,) = exporter.get_finished_spans()
    assert traced.parent_of(theirs) == traced.id_of(_first(seen))


def _first(seen: Recorder) -> Any:
    return seen.spans[0]
