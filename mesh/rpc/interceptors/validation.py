"""The field rules of `leaky.edge.v1.field`, run on every request."""

from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.descriptor import Descriptor

from leaky.common.v1.reason_pb2 import REASON_INVALID_ARGUMENT
from mesh.errors import AppError, FieldViolation
from mesh.rpc.call import Call
from mesh.rpc.dispatcher import Handler
from mesh.rpc.rules import Check, compile_checks

# A refusal travels in trailers, which have a limit.
_MOST_TOLD = 100


class ValidationInterceptor:
    """Checks, and normalises, each request by its message type's compiled rules."""

    def __init__(self) -> None:
        self._checks: dict[type, Callable[[Any], list[FieldViolation]]] = {}

    def __call__(self, request: Any, call: Call, proceed: Handler) -> Awaitable[Any]:
        """Raises INVALID_ARGUMENT that names every field at fault, up to a hundred."""
        kind = type(request)
        check = self._checks.get(kind)
        if check is None:
            check = self._checks[kind] = compile_message(request.DESCRIPTOR)
        violations = check(request)
        if violations:
            raise _refusal(violations)
        return proceed(request, call)


def _refusal(violations: list[FieldViolation]) -> AppError:
    told = violations[:_MOST_TOLD]
    message = "; ".join(f"{fault.field}: {fault.message}" for fault in told)
    if len(violations) > _MOST_TOLD:
        message += f"; and {len(violations) - _MOST_TOLD} more"
    return AppError(REASON_INVALID_ARGUMENT, message, violations=tuple(told))


def compile_message(descriptor: Descriptor) -> Callable[[Any], list[FieldViolation]]:
    """The checker of a message type: all violations, none for a good message."""
    checks: tuple[Check, ...] = compile_checks(descriptor)

    def check(message: Any) -> list[FieldViolation]:
        violations: list[FieldViolation] = []
        for one in checks:
            one(message, "", violations)
        return violations

    return check
