"""Which story a request belongs to: its correlation id and its trace."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from mesh.clock import Ids

_CORRELATION = re.compile(rb"[A-Za-z0-9._-]{1,128}")
# W3C Trace Context: version, trace id, parent id, flags; later versions may add more.
_TRACEPARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?"
)
SCOPE_KEY = "leaky.trace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """`traceparent` is what is handed on: the trace with a span of ours as parent."""

    correlation_id: str
    trace_id: str
    traceparent: str


def trace_of(headers: Iterable[tuple[bytes, bytes]], ids: Ids) -> Trace:
    """The caller's ids where they are well formed, else new ones."""
    correlation, trace_id, flags = "", "", "01"
    for name, value in headers:
        if name == b"x-correlation-id" and _CORRELATION.fullmatch(value):
            correlation = value.decode()
        elif name == b"traceparent":
            trace_id, flags = _parsed(value) or (trace_id, flags)
    noise = os.urandom(24).hex()
    trace_id = trace_id or noise[:32]
    return Trace(
        correlation_id=correlation or ids.new(),
        trace_id=trace_id,
        traceparent=f"00-{trace_id}-{noise[32:]}-{flags}",
    )


def _parsed(value: bytes) -> tuple[str, str] | None:
    match = _TRACEPARENT.fullmatch(value)
    if match is None or (match[1] == b"00" and match[4]):
        return None
    return match[2].decode(), match[3].decode()
