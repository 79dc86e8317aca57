"""The root of every error that the SDK raises for a call."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """A request field, by its JSON name, and what is wrong with it."""

    field: str
    message: str


class LeakyError(Exception):
    """A call that was refused or failed.

    `reason` is the stable word of the error body, also when this version of
    the SDK has no class for it. `status` is the HTTP status, None when no
    answer came. `retry_after` is in seconds. `body` is the answer's JSON
    object as it came, empty when there was none.
    """

    REASON: ClassVar[str] = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        status: int | None = None,
        trace_id: str | None = None,
        errors: tuple[FieldError, ...] = (),
        retry_after: float | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        # Only the message becomes an argument: pickling rebuilds from it and
        # restores the rest from __dict__.
        super().__init__(message)
        self.message = message
        self.reason = self.REASON if reason is None else reason
        self.status = status
        self.trace_id = trace_id
        self.errors = errors
        self.retry_after = retry_after
        self.body: Mapping[str, Any] = {} if body is None else body

    def __str__(self) -> str:
        trace = f" [trace {self.trace_id}]" if self.trace_id else ""
        return f"{self.reason}: {self.message}{trace}"

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.message!r}, reason={self.reason!r}, status={self.status})"
        )


ErrorTable = Mapping[str, type[LeakyError]]


def error_class(table: ErrorTable, reason: str) -> type[LeakyError]:
    """The class generated for a reason; LeakyError for one that came later."""
    return table.get(reason, LeakyError)
