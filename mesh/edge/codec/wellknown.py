"""Timestamp, Duration and the wrappers, which have JSON forms of their own."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from mesh.edge.codec.wrong import Wrong

# The years 1 to 9999, and what a Duration may hold, in seconds.
_FIRST, _LAST = -62_135_596_800, 253_402_300_799
_LONGEST = 315_576_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_SECONDS = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,9})?s")
UNSUPPORTED = frozenset(
    f"google.protobuf.{name}" for name in ("Any", "FieldMask", "ListValue", "Struct", "Value")
)


def rfc3339(seconds: int, nanos: int) -> str:
    """UTC with Z and 0, 3, 6 or 9 digits of a second (RFC 3339).

    Raises OverflowError outside the years 1 to 9999.
    """
    if nanos == 0:
        return f"{_second(seconds)}Z"
    if nanos % 1_000_000 == 0:
        return f"{_second(seconds)}.{nanos // 1_000_000:03d}Z"
    if nanos % 1_000 == 0:
        return f"{_second(seconds)}.{nanos // 1_000:06d}Z"
    return f"{_second(seconds)}.{nanos:09d}Z"


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    # isoformat writes years below 1000 with four digits, strftime does not.
    return (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()


def _write_timestamp(value: Any) -> str:
    return rfc3339(value.seconds, value.nanos)


def _read_timestamp(value: Any) -> Timestamp:
    match = _RFC3339.fullmatch(value) if type(value) is str else None
    try:
        # Timestamp.FromJsonString asks strptime, which takes three times as long.
        moment = datetime.fromisoformat(match[1] + match[3]) if match else None
    except ValueError:
        moment = None
    if match is None or moment is None:
        raise Wrong("must be an RFC 3339 time such as 2026-01-31T12:00:00Z")
    seconds = int(moment.timestamp())
    if not _FIRST <= seconds <= _LAST:
        raise Wrong("must lie within the years 1 to 9999")
    return Timestamp(seconds=seconds, nanos=int((match[2] or "").ljust(9, "0")))


def _write_duration(value: Any) -> str:
    return str(value.ToJsonString())


def _read_duration(value: Any) -> Duration:
    message = Duration()
    if not (type(value) is str and _SECONDS.fullmatch(value)):
        raise Wrong('must be seconds such as "1.5s"')
    try:
        message.FromJsonString(value)
    except (ValueError, OverflowError):
        raise Wrong(f"must be within {_LONGEST} seconds") from None
    return message


READERS: dict[str, Callable[[Any], Any]] = {
    "google.protobuf.Timestamp": _read_timestamp,
    "google.protobuf.Duration": _read_duration,
}
WRITERS: dict[str, Callable[[Any], Any]] = {
    "google.protobuf.Timestamp": _write_timestamp,
    "google.protobuf.Duration": _write_duration,
}


def is_wrapper(kind: Descriptor) -> bool:
    """Whether the message is a scalar in a box, such as Int64Value."""
    return bool(kind.file.name == "google/protobuf/wrappers.proto")
