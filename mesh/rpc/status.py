"""AppError to google.rpc.Status and back (AIP-193's error model)."""

from collections.abc import Iterable
from contextlib import suppress
from typing import cast

import grpc
from google.protobuf import any_pb2, descriptor_pool, duration_pb2
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from leaky.common.v1 import reason_pb2
from leaky.common.v1.reason_pb2 import Reason
from mesh.errors import BY_NAME, AppError, FieldViolation

DOMAIN = "leaky-tokens"
DETAILS_KEY = "grpc-status-details-bin"

# What a status without an ErrorInfo of ours means: it came from gRPC itself.
_BY_CODE: dict[grpc.StatusCode, Reason.ValueType] = {
    grpc.StatusCode.UNAVAILABLE: reason_pb2.REASON_UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: reason_pb2.REASON_DEADLINE_EXCEEDED,
    # Not by us, who would have got no answer: the other side was stopping.
    grpc.StatusCode.CANCELLED: reason_pb2.REASON_UNAVAILABLE,
    grpc.StatusCode.UNIMPLEMENTED: reason_pb2.REASON_UNIMPLEMENTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: reason_pb2.REASON_OVERLOADED,
    grpc.StatusCode.UNAUTHENTICATED: reason_pb2.REASON_UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED: reason_pb2.REASON_PERMISSION_DENIED,
    grpc.StatusCode.INVALID_ARGUMENT: reason_pb2.REASON_INVALID_ARGUMENT,
}


def to_status(error: AppError) -> status_pb2.Status:
    """The status with ErrorInfo and, where they apply, BadRequest, RetryInfo and the details."""
    parts: list[Message] = [
        error_details_pb2.ErrorInfo(reason=error.outcome.name, domain=DOMAIN),
        *error.details,
    ]
    if error.violations:
        parts.append(_bad_request(error.violations))
    if error.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(round(error.retry_after * 1e9))
        parts.append(error_details_pb2.RetryInfo(retry_delay=delay))
    if error.code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        parts.append(_quota_failure(error))
    return status_pb2.Status(
        code=error.code.value[0], message=error.message, details=[_pack(part) for part in parts]
    )


def from_rpc_error(error: grpc.aio.AioRpcError) -> AppError:
    """The AppError that a failed call carries, or one for gRPC's own failure."""
    status = _status_of(error.trailing_metadata())
    if status is None:
        reason = _BY_CODE.get(error.code(), reason_pb2.REASON_INTERNAL)
        return AppError(reason, _message_for(reason, error.code()))
    return from_status(status)


def from_status(status: status_pb2.Status) -> AppError:
    """The AppError that a status was made from."""
    reason: Reason.ValueType = reason_pb2.REASON_INTERNAL
    details: list[Message] = []
    violations: tuple[FieldViolation, ...] = ()
    retry_after = None
    for detail in filter(None, map(_unpack, status.details)):
        if isinstance(detail, error_details_pb2.ErrorInfo):
            reason = cast("Reason.ValueType", BY_NAME.get(detail.reason, reason))
        elif isinstance(detail, error_details_pb2.BadRequest):
            violations = _violations(detail)
        elif isinstance(detail, error_details_pb2.RetryInfo):
            retry_after = detail.retry_delay.ToNanoseconds() / 1e9
        elif not isinstance(detail, error_details_pb2.QuotaFailure):
            details.append(detail)
    return AppError(
        reason,
        status.message,
        details=tuple(details),
        violations=violations,
        retry_after=retry_after,
    )


def _message_for(reason: Reason.ValueType, code: grpc.StatusCode) -> str:
    # gRPC's own texts name addresses and sockets: none of it goes outside.
    if reason == reason_pb2.REASON_UNAVAILABLE:
        return "service unavailable"
    words: str = code.value[1]
    return words if code in _BY_CODE else "internal error"


def _status_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> status_pb2.Status | None:
    for key, value in metadata or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            with suppress(DecodeError):
                return status_pb2.Status.FromString(value)
    return None


def _bad_request(violations: tuple[FieldViolation, ...]) -> error_details_pb2.BadRequest:
    field = error_details_pb2.BadRequest.FieldViolation
    return error_details_pb2.BadRequest(
        field_violations=[field(field=v.field, description=v.message) for v in violations]
    )


def _violations(detail: error_details_pb2.BadRequest) -> tuple[FieldViolation, ...]:
    return tuple(
        FieldViolation(field=violation.field, message=violation.description)
        for violation in detail.field_violations
    )


def _quota_failure(error: AppError) -> error_details_pb2.QuotaFailure:
    violation = error_details_pb2.QuotaFailure.Violation(
        subject=error.outcome.name, description=error.message
    )
    return error_details_pb2.QuotaFailure(violations=[violation])


def _pack(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def _unpack(packed: any_pb2.Any) -> Message | None:
    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(packed.TypeName())
    except KeyError:
        return None
    message = GetMessageClass(descriptor)()
    try:
        packed.Unpack(message)
    except DecodeError:
        return None
    return message
