"""Requests that are followed from the edge on, and the line that the log has of each."""

import json
import subprocess
import sys
import textwrap
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from leaky.common.v1.reason_pb2 import REASON_INTERNAL, REASON_INVALID_ARGUMENT
from mesh.errors import AppError
from tests import traced
from tests.traced import FOLLOWED, OUTSIDE, TRACE, UNFOLLOWED, recording

pytestmark = pytest.mark.anyio
STATUS = "/api/v1/tokens/status"


async def test_a_followed_request_is_a_span_by_its_route(world: Any) -> None:
    with recording() as seen:
        headers = {"traceparent": FOLLOWED, "tracestate": "vendor=1"}
        await world.send("GET", STATUS, headers=headers)
        (span,) = seen.spans
    assert (span.name, span.kind) == (f"GET {STATUS}", SpanKind.SERVER)
    assert (traced.trace_of(span), traced.parent_of(span)) == (TRACE, OUTSIDE)
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": STATUS,
        "http.response.status_code": 200,
        "url.scheme": "http",
    }
    (call,) = world.script.calls
    assert call.traceparent == f"00-{TRACE}-{traced.id_of(span)}-01"
    assert call.tracestate == "vendor=1"


async def test_a_request_without_a_trace_begins_one_by_the_ratio(world: Any) -> None:
    with recording(1.0) as seen:
        await world.send("GET", STATUS)
        (span,) = seen.spans
        await world.send("GET", STATUS, headers={"traceparent": UNFOLLOWED})
        # Machines ask for these every few seconds.
        await world.send("GET", "/actuator/health")
        assert len(seen.spans) == 1
    with recording(0.0) as seen:
        await world.send("GET", STATUS)
        assert seen.spans == ()
    first, second, third = world.script.calls
    assert span.parent is None
    assert traced.trace_of(span) == first.trace_id
    assert [call.traceparent[-2:] for call in (first, second, third)] == ["01", "00", "00"]


@pytest.mark.parametrize(
    ("reason", "status", "fault"),
    [(REASON_INVALID_ARGUMENT, 400, StatusCode.UNSET), (REASON_INTERNAL, 500, StatusCode.ERROR)],
)
async def test_a_fault_of_ours_is_told_by_its_status(
    world: Any, reason: Any, status: int, fault: StatusCode
) -> None:
    world.script.error = AppError(reason, "the password is hunter2")
    with recording() as seen:
        await world.send("GET", STATUS, headers={"traceparent": FOLLOWED})
        (span,) = seen.spans
    assert (span.attributes or {})["http.response.status_code"] == status
    assert span.status.status_code is fault
    assert "hunter2" not in span.to_json()


async def test_a_path_that_is_not_there_does_not_name_the_span(world: Any) -> None:
    with recording() as seen:
        await world.send("GET", "/leaky_secret_key", headers={"traceparent": FOLLOWED})
        (span,) = seen.spans
    assert span.name == "GET other"
    assert "leaky_secret_key" not in span.to_json()


def test_a_request_is_a_line_at_debug_and_a_fault_one_at_info() -> None:
    program = """
    from mesh.edge.following import tell
    from mesh.edge.trace import Trace
    from mesh.telemetry import logs
    trace = Trace(correlation_id="c-1", trace_id="t-1", traceparent="p")
    scope = {"method": "GET", "leaky.uri": "/x", "leaky.principal": "u-1"}
    logs.configure("gateway", "info")
    tell(scope, trace, 200, 0.5)
    tell(scope, trace, 503, 0.5)
    logs.set_level("debug")
    tell(scope, trace, 402, 0.25)
    """
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        check=True,
        text=True,
    )
    fault, refused = map(json.loads, done.stderr.splitlines())
    assert (fault["level"], fault["outcome"], fault["principal"]) == ("info", 503, "u-1")
    del refused["timestamp"], refused["logger"]
    assert refused == {
        "event": "request",
        "level": "debug",
        "service": "gateway",
        "method": "GET",
        "uri": "/x",
        "outcome": 402,
        "milliseconds": 250.0,
        "trace_id": "t-1",
        "correlation_id": "c-1",
        "principal": "u-1",
    }
