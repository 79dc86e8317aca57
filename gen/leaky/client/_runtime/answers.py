"""What came of one attempt, and the error that it means."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from .errors import ErrorTable, FieldError, LeakyError, error_class

_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?")
_BY_STATUS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.FORBIDDEN: "PERMISSION_DENIED",
    HTTPStatus.SERVICE_UNAVAILABLE: "UNAVAILABLE",
    HTTPStatus.GATEWAY_TIMEOUT: "DEADLINE_EXCEEDED",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP response, read whole. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def success(self) -> bool:
        """A 2xx."""
        return HTTPStatus(200) <= self.status < HTTPStatus(300)

    def document(self) -> object:
        """The body's JSON, None for an empty one; ValueError otherwise."""
        try:
            return json.loads(self.content) if self.content else None
        except (ValueError, RecursionError):
            # The decoder's own error would carry the body along.
            raise ValueError("the answer is not JSON") from None


class Kind(Enum):
    """Why no answer came."""

    DEADLINE = auto()
    CONNECTION = auto()
    PROTOCOL = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An attempt without an answer."""

    kind: Kind
    cause: Exception

    def error(self, table: ErrorTable, base_url: str) -> LeakyError:
        """The error that it means."""
        what = type(self.cause).__name__
        if self.kind is Kind.DEADLINE:
            return error_class(table, "DEADLINE_EXCEEDED")(
                "no answer in time", reason="DEADLINE_EXCEEDED"
            )
        if self.kind is Kind.CONNECTION:
            message = f"cannot reach {base_url} ({what})"
            return error_class(table, "UNAVAILABLE")(message, reason="UNAVAILABLE")
        return LeakyError(f"no HTTP answer from {base_url} ({what})", reason="INVALID_RESPONSE")


def refusal(answer: Answer, table: ErrorTable, now: float) -> LeakyError:
    """The error that a response other than 2xx means; `now` is Unix time."""
    body = _object(answer)
    reason = body.get("reason")
    if not isinstance(reason, str) or not reason:
        reason = _reason(answer.status, body)
    message, trace_id = body.get("message"), body.get("traceId")
    return error_class(table, reason)(
        message if isinstance(message, str) else f"HTTP {answer.status}",
        reason=reason,
        status=answer.status,
        trace_id=trace_id if isinstance(trace_id, str) else None,
        errors=_field_errors(body.get("errors")),
        retry_after=_retry_after(answer, body, now),
        body=body,
    )


def _object(answer: Answer) -> dict[str, Any]:
    try:
        document = answer.document()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _reason(status: int, body: Mapping[str, Any]) -> str:
    # Three documented bodies have no reason: a full bucket's (the consume
    # response itself), the edge's own limit, and a service that is away.
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "RATE_LIMITED" if "allowed" in body else "RATE_LIMIT_EXCEEDED"
    if status == HTTPStatus.SERVICE_UNAVAILABLE and body.get("status") == "unavailable":
        return "CIRCUIT_OPEN"
    return _BY_STATUS.get(status, "UNKNOWN")


def _field_errors(value: object) -> tuple[FieldError, ...]:
    entries = value if isinstance(value, list) else []
    return tuple(
        FieldError(field=str(entry.get("field", "")), message=str(entry.get("message", "")))
        for entry in entries
        if isinstance(entry, dict)
    )


def _retry_after(answer: Answer, body: Mapping[str, Any], now: float) -> float | None:
    header = answer.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(header):
        return float(header)
    if header:
        try:
            return max(0.0, parsedate_to_datetime(header).timestamp() - now)
        except (ValueError, OverflowError):
            return None
    seconds = body.get("retryAfterSeconds", body.get("waitSeconds"))
    usable = isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and seconds > 0
    return float(seconds) if usable and seconds is not None else None
