"""Spans of work in an SQL database: one a transaction, with nothing of its statements.

Source of the attributes: OpenTelemetry, "Semantic conventions for database client calls".
"""

from typing import Literal

from opentelemetry.trace import SpanKind

from mesh.telemetry.tracing.spans import Steps, Unfollowed, spanning

Operation = Literal["write", "read", "scan", "transact", "query"]
_OPERATIONS: tuple[Operation, ...] = ("write", "read", "scan", "transact", "query")


class SqlSteps:
    """A database's; the dialect is SQLAlchemy's name for it."""

    def __init__(self, dialect: str) -> None:
        self._known = {
            operation: (
                f"{operation} {dialect}",
                {"db.system.name": dialect, "db.operation.name": operation},
            )
            for operation in _OPERATIONS
        }

    def __call__(self, operation: Operation) -> Steps | Unfollowed:
        """The step that the transaction is; it waits for its connection in it, too."""
        name, attributes = self._known[operation]
        return spanning(name, SpanKind.CLIENT, attributes)
