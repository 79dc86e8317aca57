import asyncio
import json
import subprocess
import sys
import textwrap
from typing import Any

from leaky.token.v1 import quota_service_pb2
from mesh.rpc.call import CURRENT, Call
from mesh.rpc.method import methods_of
from mesh.telemetry.logs import add_call

METHOD = methods_of(quota_service_pb2.DESCRIPTOR.services_by_name["QuotaService"])[0]


def lines(program: str, **env: str) -> list[str]:
    """What a process of its own prints, since logging is global to a process."""
    prelude = "import logging, structlog\nfrom mesh.telemetry import logs\n"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", prelude + textwrap.dedent(program)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        check=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", **env},
    )
    return done.stderr.splitlines()


def events(program: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(program)]


def test_outside_a_terminal_each_line_is_json_with_the_service() -> None:
    [event] = events(
        """
        log = structlog.get_logger("made.before")
        logs.configure("token")
        log.info("charged", tokens=5, api_key="leaky")
        """
    )
    assert event["service"] == "token"
    assert event["event"] == "charged"
    assert event["level"] == "info"
    assert event["tokens"] == 5
    assert event["api_key"] == "[redacted]"
    assert event["timestamp"].endswith("Z")


def test_libraries_take_the_same_way() -> None:
    [event] = events(
        """
        logs.configure("auth")
        logging.getLogger("uvicorn.error").warning("refused %s", "Bearer abcdef123456")
        """
    )
    assert event["event"] == "refused Bearer [redacted]"
    assert event["service"] == "auth"


def test_sql_and_its_parameters_are_not_printed_at_debug() -> None:
    assert not events(
        """
        logs.configure("auth", "debug")
        logging.getLogger("sqlalchemy.engine.Engine").info("INSERT")
        logging.getLogger("aiosqlite").debug("executing")
        """
    )


def test_the_level_changes_while_the_process_runs() -> None:
    seen = events(
        """
        logs.configure("auth", "warning")
        log = structlog.get_logger("x")
        log.info("one")
        logs.set_level("debug")
        log.debug("two")
        logs.set_level("error")
        log.warning("three")
        """
    )
    assert [event["event"] for event in seen] == ["two"]


def test_configuring_twice_prints_once() -> None:
    program = 'logs.configure("a"); logs.configure("b"); structlog.get_logger().info("hello")'
    assert [event["service"] for event in events(program)] == ["b"]


def test_a_traceback_shows_no_secret() -> None:
    [event] = events(
        """
        logs.configure("auth")
        password = "correct horse"
        try:
            raise ValueError("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2ln")
        except ValueError:
            structlog.get_logger().exception("failed")
        """
    )
    assert "ValueError: [redacted]" in event["exception"]
    assert "correct horse" not in json.dumps(event)


def test_an_object_is_printed_without_its_secrets() -> None:
    [event] = events(
        """
        logs.configure("auth")
        structlog.get_logger().info("seen", thing=ValueError("Bearer abcdef123456"))
        """
    )
    assert event["thing"] == "ValueError('Bearer [redacted]')"


def test_for_a_terminal_the_lines_are_no_json() -> None:
    program = 'logs.configure("auth"); structlog.get_logger().info("hello")'
    [line] = lines(program, LEAKY_LOG_CONSOLE="1")
    assert "hello" in line
    assert not line.startswith("{")


def test_a_line_carries_the_ids_of_the_call_being_served() -> None:
    async def served() -> Any:
        CURRENT.set(Call(method=METHOD, metadata={}, trace_id="t1", correlation_id="c1"))
        return add_call(None, "info", {"event": "x"})

    assert asyncio.run(served()) == {"event": "x", "trace_id": "t1", "correlation_id": "c1"}
    assert add_call(None, "info", {"event": "x"}) == {"event": "x"}
