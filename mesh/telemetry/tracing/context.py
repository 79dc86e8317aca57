"""The context of a trace as it goes from process to process (W3C Trace Context)."""

import os
import re
from dataclasses import dataclass

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
    """What the headers say; None for what is malformed.

    Of the state, which is other systems' own, too much is dropped as a whole.
    """
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None or (match[1] == "00" and match[5]):
        return None
    return TraceContext(
        trace_id=match[2],
        span_id=match[3],
        sampled=bool(int(match[4], 16) & _SAMPLED),
        state=tracestate if tracestate and _is_state(tracestate) else "",
    )


def _is_state(text: str) -> bool:
    return len(text) <= _LONGEST_STATE and text.isascii() and text.isprintable()


def random_ids() -> tuple[str, str]:
    """A trace's id and a span's: 16 and 8 random bytes in hex."""
    noise = os.urandom(24).hex()
    return noise[:32], noise[32:]
