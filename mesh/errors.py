"""The one error type, and what each reason means on the wire.

The table is not written here: every value of `leaky.common.v1.Reason` carries
its gRPC code and HTTP status as an option in reason.proto.
"""

from dataclasses import dataclass

import grpc
from google.protobuf.message import Message

from leaky.common.v1 import reason_pb2
from leaky.common.v1.reason_pb2 import Reason
from leaky.edge.v1 import options_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldViolation:
    """A field, by its proto path, and what is wrong with it."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reason travels as."""

    name: str
    code: grpc.StatusCode
    http_status: int


def _outcomes() -> dict[int, Outcome]:
    codes = {code.value[0]: code for code in grpc.StatusCode}
    table = {}
    for value in reason_pb2.DESCRIPTOR.enum_types_by_name["Reason"].values:
        option = value.GetOptions().Extensions[options_pb2.outcome]
        name = value.name.removeprefix("REASON_")
        table[value.number] = Outcome(name, codes[option.code], option.http_status or 500)
    return table


OUTCOMES = _outcomes()
BY_NAME = {outcome.name: number for number, outcome in OUTCOMES.items()}


class AppError(Exception):
    """A refusal or failure with a stable reason; the only error that crosses a wall.

    `details` are messages that travel in the Status, such as a documented
    refusal's body; `retry_after` is in seconds. `away` names the service that is
    missed when it is not the one that was called; it stays in this process.
    """

    def __init__(
        self,
        reason: Reason.ValueType,
        message: str,
        *,
        details: tuple[Message, ...] = (),
        violations: tuple[FieldViolation, ...] = (),
        retry_after: float | None = None,
        away: str = "",
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.details = details
        self.violations = violations
        self.retry_after = retry_after
        self.away = away

    @property
    def outcome(self) -> Outcome:
        """The reason's name, gRPC code and HTTP status."""
        return OUTCOMES[self.reason]

    @property
    def code(self) -> grpc.StatusCode:
        """The gRPC status code."""
        return self.outcome.code


class CommitUnknownError(AppError):
    """The answer to a commit was lost: what was asked for may have been done, or not."""


def invalid(field: str, message: str) -> AppError:
    """A 400 that names one field."""
    return AppError(
        reason_pb2.REASON_INVALID_ARGUMENT,
        f"{field}: {message}",
        violations=(FieldViolation(field=field, message=message),),
    )
