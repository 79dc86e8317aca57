"""The context of a trace as it goes from process to process (W3C Trace Context)."""

import re
from dataclasses import dataclass

from mesh.noise import noise

# Version, trace id, parent id, flags; later versions may add more.
_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
# Section 3.3.1.5: at least this much of it is to be handed on.
_LONGEST_STATE = 512
_SAMPLED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceContext:
    """A trace, and the span in it that is the next one's parent; ids in lower-case hex."""

    trace_id: str
    span_id: str
    sampled: bool
    state: str = ""

    @property
    def traceparent(self) -> str:
        """The header."""
        return header(self.trace_id, self.span_id, sampled=self.sampled)

    @property
    def headers(self) -> dict[str, str]:
        """What is sent along; a state only where there is one."""
        state = {"tracestate": self.state} if self.state else {}
        return {"traceparent": self.traceparent, **state}


def header(trace_id: str, span_id: str, *, sampled: bool) -> str:
    """The traceparent of a span."""
    return f"00-{trace_id}-{span_id}-{'01' if sampled else '00'}"


def parsed(traceparent: str, tracestate: str = "") -> TraceContext | None:
    """What the headers say; None for what is malformed."""
    ids = ids_of(traceparent)
    if ids is None:
        return None
    trace_id, span_id, sampled = ids
    return TraceContext(
        trace_id=trace_id, span_id=span_id, sampled=sampled, state=state_of(tracestate)
    )


def ids_of(traceparent: str) -> tuple[str, str, bool] | None:
    """The ids of the trace and of the parent, and whether it is sampled; None for no such."""
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "00" and more:
        return None
    return trace_id, span_id, bool(int(flags, 16) & _SAMPLED)


def state_of(tracestate: str) -> str:
    """The state as it is handed on: other systems' own, of which too much is dropped as a whole."""
    if not tracestate or len(tracestate) > _LONGEST_STATE:
        return ""
    return tracestate if tracestate.isascii() and tracestate.isprintable() else ""


def random_ids() -> tuple[str, str]:
    """A trace's id and a span's: 16 and 8 random bytes in hex."""
    digits = noise().hex()
    return digits[:32], digits[32:]
