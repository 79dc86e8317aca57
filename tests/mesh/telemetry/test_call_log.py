"""The one line of each call: with trace, user and outcome, where somebody wants it."""

import json
import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
import grpc, structlog
from leaky.token.v1 import quota_service_pb2
from mesh.identity.principal import Principal
from mesh.rpc.call import CURRENT, Call
from mesh.rpc.method import methods_of
from mesh.telemetry import logs
from mesh.telemetry.call_log import tell
method = methods_of(quota_service_pb2.DESCRIPTOR.services_by_name["QuotaService"])[0]
user = Principal(user_id="u-1", username="ada", token="hunter2")
call = Call(method=method, metadata={}, principal=user, trace_id="t-1", correlation_id="c-1")
CURRENT.set(call)
"""


def lines(program: str) -> list[dict[str, object]]:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", PROGRAM + textwrap.dedent(program)],
        capture_output=True,
        check=True,
        text=True,
    )
    assert "hunter2" not in done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_every_call_is_a_line_at_debug() -> None:
    (line,) = lines('logs.configure("token", "debug"); tell(call, grpc.StatusCode.OK, 0.25)')
    del line["timestamp"], line["logger"]
    assert line == {
        "event": "call",
        "level": "debug",
        "service": "token",
        "method": "/leaky.token.v1.QuotaService/" + str(line["method"]).rpartition("/")[2],
        "outcome": "OK",
        "milliseconds": 250.0,
        "trace_id": "t-1",
        "correlation_id": "c-1",
        "principal": "u-1",
    }


@pytest.mark.parametrize(
    ("code", "shown"),
    [("OK", 0), ("NOT_FOUND", 0), ("RESOURCE_EXHAUSTED", 0), ("UNAVAILABLE", 1), ("INTERNAL", 1)],
)
def test_at_the_usual_level_only_what_is_broken_is_a_line(code: str, shown: int) -> None:
    program = f'logs.configure("token", "info"); tell(call, grpc.StatusCode.{code}, 0.1)'
    assert [line["outcome"] for line in lines(program)] == [code] * shown


def test_what_is_said_within_a_call_names_its_user_too() -> None:
    (line,) = lines('logs.configure("token"); structlog.get_logger("x").info("charged")')
    assert (line["event"], line["principal"], line["trace_id"]) == ("charged", "u-1", "t-1")
