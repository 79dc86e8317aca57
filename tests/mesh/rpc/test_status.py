import grpc
import pytest
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from leaky.common.v1.reason_pb2 import REASON_INTERNAL, REASON_UNSPECIFIED, Reason
from leaky.token.v1.consume_service_pb2 import ConsumeResponse
from leaky.token.v1.quota_pb2 import Quota
from mesh.errors import OUTCOMES, AppError, FieldViolation
from mesh.rpc.status import DETAILS_KEY, DOMAIN, from_rpc_error, from_status, to_status

REASONS = [number for number in Reason.values() if number != REASON_UNSPECIFIED]
TEXTS = st.text(max_size=40)
VIOLATIONS = st.builds(FieldViolation, field=TEXTS, message=TEXTS)
DETAILS: st.SearchStrategy[Message] = st.builds(
    ConsumeResponse, allowed=st.booleans(), capacity=st.integers(0, 2**40)
) | st.builds(Quota, provider=TEXTS)
ERRORS = st.builds(
    AppError,
    st.sampled_from(REASONS),
    TEXTS,
    details=st.lists(DETAILS, max_size=3).map(tuple),
    violations=st.lists(VIOLATIONS, max_size=5).map(tuple),
    # Whole nanoseconds, which is what travels.
    retry_after=st.none() | st.integers(0, 10**13).map(lambda nanos: nanos / 1e9),
)


@given(ERRORS)
def test_an_error_is_the_same_after_its_way_over_the_wire(error: AppError) -> None:
    wire = to_status(error).SerializeToString()
    arrived = from_status(status_pb2.Status.FromString(wire))
    assert arrived.reason == error.reason
    assert arrived.message == error.message
    assert arrived.details == error.details
    assert arrived.violations == error.violations
    assert arrived.retry_after == pytest.approx(error.retry_after, abs=1e-9)


@pytest.mark.parametrize("number", REASONS)
def test_every_reason_has_a_code_and_a_status_and_says_its_name(number: Reason.ValueType) -> None:
    outcome = OUTCOMES[number]
    assert outcome.code not in {grpc.StatusCode.OK, grpc.StatusCode.UNKNOWN}
    assert 400 <= outcome.http_status <= 599
    status = to_status(AppError(number, "said"))
    assert status.code == outcome.code.value[0]
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == (outcome.name, DOMAIN)


def test_a_reason_of_a_newer_service_is_internal_and_a_strange_detail_is_left_out() -> None:
    info, strange = any_pb2.Any(), any_pb2.Any(type_url="type.googleapis.com/leaky.v9.New")
    info.Pack(error_details_pb2.ErrorInfo(reason="NEW", domain=DOMAIN))
    torn = any_pb2.Any(type_url="type.googleapis.com/leaky.token.v1.Quota", value=b"\xff")
    error = from_status(status_pb2.Status(message="m", details=[info, strange, torn]))
    assert (error.reason, error.details) == (REASON_INTERNAL, ())


def failed(code: grpc.StatusCode, *trailers: tuple[str, str | bytes]) -> AppError:
    empty = grpc.aio.Metadata()
    trailing = grpc.aio.Metadata(*trailers)
    return from_rpc_error(grpc.aio.AioRpcError(code, empty, trailing, "tcp:10.0.0.7: refused"))


@pytest.mark.parametrize(
    ("code", "name", "message"),
    [
        (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", "service unavailable"),
        (grpc.StatusCode.CANCELLED, "UNAVAILABLE", "service unavailable"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "deadline exceeded"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", "resource exhausted"),
        (grpc.StatusCode.UNIMPLEMENTED, "UNIMPLEMENTED", "unimplemented"),
        (grpc.StatusCode.UNKNOWN, "INTERNAL", "internal error"),
        (grpc.StatusCode.DATA_LOSS, "INTERNAL", "internal error"),
    ],
)
def test_a_failure_of_grpc_itself_has_a_reason_and_keeps_its_text_inside(
    code: grpc.StatusCode, name: str, message: str
) -> None:
    error = failed(code)
    assert (error.outcome.name, error.message) == (name, message)


def test_details_that_cannot_be_read_are_none() -> None:
    assert failed(grpc.StatusCode.UNAVAILABLE, (DETAILS_KEY, b"\xff")).outcome.name == "UNAVAILABLE"
