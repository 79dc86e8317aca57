"""The one line that the log has of each call that is served."""

import logging

import grpc
import structlog

from mesh.rpc.call import Call

log = structlog.get_logger("rpc")
_logger = logging.getLogger("rpc")
# What the one who looks after the service wants to see; the rest is between it and its caller.
TROUBLE = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}


def tell(call: Call, code: grpc.StatusCode, seconds: float) -> None:
    """Tells how a call ended, at debug; at info where something is broken."""
    fine = code is grpc.StatusCode.OK or code not in TROUBLE
    level = logging.DEBUG if fine else logging.INFO
    # Asked first: at the usual level most lines would be made for nothing.
    if not _logger.isEnabledFor(level):
        return
    known = {"principal": call.principal.user_id} if call.principal.user_id else {}
    log.log(
        level,
        "call",
        method=call.method.path,
        outcome=code.name,
        milliseconds=round(seconds * 1000, 3),
        trace_id=call.trace_id,
        **known,
    )
