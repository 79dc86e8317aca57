"""Spans on their way out: in batches, to a collector that is there or is not."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from structlog.testing import capture_logs

from mesh.settings import Live, MeshSettings
from mesh.settings.source import SettingsError, load
from mesh.telemetry.tracing.exporting import exporting
from mesh.telemetry.tracing.otlp import Told
from mesh.telemetry.tracing.tracer import TRACING
from tests.ports import free_port
from tests.traced import step

pytestmark = pytest.mark.anyio
PATIENCE = 20.0


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes OTLP."""

    def __init__(self) -> None:
        self.took: list[Any] = []
        self.taken = Event()
        self.answers = Event()
        self.answers.set()

    def Export(self, request: Any, _context: Any) -> Any:  # noqa: N802
        self.answers.wait(PATIENCE)
        self.took.append(request)
        self.taken.set()
        return trace_service_pb2.ExportTraceServiceResponse()


class Wavering(SpanExporter):
    """Fails when it is told to."""

    fails = False

    def export(self, _spans: Any) -> SpanExportResult:
        return SpanExportResult.FAILURE if self.fails else SpanExportResult.SUCCESS


@contextmanager
def collecting(port: int = 0) -> Iterator[tuple[Collector, str]]:
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    added: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
    added(collector, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield collector, f"http://127.0.0.1:{bound}"
    finally:
        server.stop(0).wait()


def settings(folder: Path, endpoint: str) -> Live[MeshSettings]:
    env = {"LEAKY_DATA": str(folder), "LEAKY_TRACING_ENDPOINT": endpoint}
    return Live.read(MeshSettings, env)


async def test_what_has_ended_leaves_in_one_batch_and_says_whose_it_is(tmp_path: Path) -> None:
    with collecting() as (collector, endpoint):
        async with exporting(settings(tmp_path, endpoint), "token", "1.2"):
            with step():
                pass
            with step():
                pass
        assert collector.taken.wait(PATIENCE)
    (batch,) = collector.took
    (group,) = batch.resource_spans
    told = {one.key: one.value.string_value for one in group.resource.attributes}
    assert (told["service.name"], told["service.version"]) == ("token", "1.2")
    assert [span.name for scope in group.scope_spans for span in scope.spans] == ["call", "call"]
    assert not TRACING.on


async def test_a_collector_that_does_not_answer_holds_nobody_up(tmp_path: Path) -> None:
    with collecting() as (collector, endpoint):
        collector.answers.clear()
        async with exporting(settings(tmp_path, endpoint), "token", "1"):
            # More than the queue takes, none of which has left when the last has ended.
            for _ in range(3_000):
                with step():
                    pass
            assert collector.took == []
            collector.answers.set()


def test_that_nobody_takes_them_is_told_once_and_so_is_that_they_are_taken() -> None:
    inner = Wavering()
    told = Told(inner)
    with capture_logs() as logs:
        for fails in (False, True, True, False, False, True):
            inner.fails = fails
            told.export([])
    assert [log["event"] for log in logs] == [
        "traces are dropped: nobody takes them",
        "traces are taken",
        "traces are dropped: nobody takes them",
    ]


async def test_without_an_endpoint_nothing_is_traced(tmp_path: Path) -> None:
    async with exporting(settings(tmp_path, ""), "token", "1"):
        assert not TRACING.on


async def test_the_ratio_is_live(tmp_path: Path) -> None:
    live = settings(tmp_path, f"http://127.0.0.1:{free_port()}")
    high = "0" * 16 + "f" * 16
    async with exporting(live, "token", "1"):
        assert not TRACING.samples(high)
        assert live.apply({"tracing.sample-ratio": "1"})
        assert TRACING.samples(high)
        assert not live.apply({"tracing.sample-ratio": "1.5"})
        assert TRACING.samples(high)


@pytest.mark.parametrize(
    "endpoint",
    ["127.0.0.1:4317", "grpc://host:1", "http://", "http://h:1/v1/traces", "http://me:hunter2@h:1"],
)
def test_what_is_no_collectors_address_is_refused_without_its_password(endpoint: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(MeshSettings, {"LEAKY_TRACING_ENDPOINT": endpoint}, {})
    assert "tracing.endpoint" in str(refused.value)
    assert "hunter2" not in str(refused.value)
