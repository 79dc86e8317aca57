"""Messages on token-usage as events."""

from leaky.analytics.v1.usage_event_pb2 import UsageEvent as UsageEventProto
from leaky.common.v1.reason_pb2 import REASON_INVALID_ARGUMENT
from mesh.edge.codec import codec_of
from mesh.errors import AppError, FieldViolation
from mesh.rpc.interceptors.validation import compile_message
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.servicers.messages import usage_event

_CODEC = codec_of(UsageEventProto)
_VIOLATIONS = compile_message(UsageEventProto.DESCRIPTOR)


def read_usage(value: bytes) -> UsageEvent:
    """The event of a JSON message, held to the same rules as one that comes over gRPC.

    Raises AppError MALFORMED_JSON or INVALID_ARGUMENT, which name fields and
    quote nothing of what was sent.
    """
    message = _CODEC.read(value)
    _refuse(tuple(_VIOLATIONS(message)))
    event = usage_event(message)
    _refuse(tuple(FieldViolation(field=name, message=text) for name, text in event.faults()))
    return event


def _refuse(violations: tuple[FieldViolation, ...]) -> None:
    if violations:
        told = "; ".join(f"{fault.field}: {fault.message}" for fault in violations)
        raise AppError(REASON_INVALID_ARGUMENT, told, violations=violations)
