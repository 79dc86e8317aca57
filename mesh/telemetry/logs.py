"""Structured logs: JSON outside a terminal, coloured lines in one.

Everything, also what libraries say through `logging`, takes one way: service,
trace and correlation id are added, secrets are hidden, then it is printed to
stderr.
"""

import logging
import os
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog
from structlog.typing import Processor

from mesh.rpc.call import CURRENT
from mesh.telemetry.redact import redact, scrub
from mesh.telemetry.tracing.story import STORY

# Set for the children of a process that shows their lines in a terminal.
CONSOLE = "LEAKY_LOG_CONSOLE"

# Chatty, or able to print what was sent to them, such as SQL parameters.
_QUIET = ("sqlalchemy", "aiosqlite", "alembic", "asyncio", "httpx", "httpcore", "grpc", "uvicorn")
_UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.access")


def configure(service: str, level: str = "info") -> None:
    """Sends all logs of this process to stderr. May be called again.

    `level` is debug, info, warning or error.
    """
    shared = _shared(service)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_printed()],
        )
    )
    logging.getLogger().handlers = [handler]
    logging.captureWarnings(True)
    for name in _UVICORN:
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    set_level(level)


def set_level(level: str) -> None:
    """Changes the level while the process runs: debug, info, warning or error."""
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.getLogger().setLevel(number)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def _shared(service: str) -> list[Processor]:
    def add_service(_logger: object, _method: str, event: Any) -> Any:
        event["service"] = service
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
        add_call,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
        redact,
    ]


def add_call(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Any:
    """A structlog processor: the call being served by its trace and correlation id and its user."""
    call = CURRENT.get()
    if call is not None:
        if call.trace_id:
            event.setdefault("trace_id", call.trace_id)
        if call.correlation_id:
            event.setdefault("correlation_id", call.correlation_id)
        if call.principal.user_id:
            event.setdefault("principal", call.principal.user_id)
        return event
    # At an edge there is a request before there is a call.
    story = STORY.get()
    if story is not None:
        event.setdefault("trace_id", story.trace_id)
        event.setdefault("correlation_id", story.correlation_id)
    return event


def _printed() -> list[Processor]:
    if sys.stderr.isatty() or os.environ.get(CONSOLE):
        # Rich tracebacks would print local variables, and with them secrets.
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=True, exception_formatter=plain)]
    return [structlog.processors.JSONRenderer(serializer=_json)]


def _json(event: Any, **_options: Any) -> str:
    return orjson.dumps(event, default=_text, option=orjson.OPT_NON_STR_KEYS).decode()


def _text(value: object) -> str:
    return scrub(repr(value))
