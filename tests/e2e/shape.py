"""The shape that every error has."""

import re
from datetime import datetime
from typing import Any

import httpx

_KEYS = {"message", "timestamp", "path", "status", "reason", "traceId"}
_INTERNALS = re.compile(
    r"Traceback|File \"|\.py\b|sqlite|SELECT |INSERT |UPDATE |grpc|protobuf|Exception|Error\("
    r"|<class|object at 0x|/work|/tmp|site-packages|127\.0\.0\.1",
    re.IGNORECASE,
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def error_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The body of an error with this status, once everything about it is as documented."""
    told = f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:500]}"
    assert answer.status_code == status, told
    assert answer.headers["content-type"] == "application/json", told
    body: dict[str, Any] = answer.json()
    assert set(body) - {"errors"} == _KEYS, told
    assert body["status"] == status, told
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", body["reason"]), told
    assert re.fullmatch(r"[0-9a-f]{32}", body["traceId"]), told
    assert _TIME.fullmatch(body["timestamp"]), told
    assert datetime.fromisoformat(body["timestamp"]).tzinfo, told
    assert body["message"], told
    faults = body.get("errors", [])
    assert all(set(one) == {"field", "message"} for one in faults), told
    for text in (body["message"], *(one["message"] for one in faults)):
        assert not _INTERNALS.search(text), told
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer", told
    if status == 405:
        assert answer.headers["allow"], told
    if status in (429, 503):
        assert int(answer.headers["retry-after"]) >= 1, told
    return body


def fields_at_fault(body: dict[str, Any]) -> set[str]:
    """The fields that an error names."""
    return {one["field"] for one in body.get("errors", [])}
