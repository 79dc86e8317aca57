from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from mesh.errors import AppError
from mesh.rpc.times import timestamp
from svc_auth.servicers.wire import micros_of, optional_timestamp, uuid_of

MIN, MAX = -62_135_596_800, 253_402_300_799


@pytest.mark.parametrize("micros", [0, 1, -1, 1_700_000_000_123_456, MIN * 10**6, MAX * 10**6])
def test_a_time_survives_both_ways(micros: int) -> None:
    assert micros_of("at", timestamp(micros)) == micros


def test_no_time_is_no_field() -> None:
    assert optional_timestamp(None) is None
    assert optional_timestamp(1_500_000) == Timestamp(seconds=1, nanos=500_000_000)


@pytest.mark.parametrize(
    "parts",
    [
        {"seconds": MIN - 1},
        {"seconds": MAX + 1},
        {"seconds": 2**63 - 1},
        {"seconds": -(2**63)},
        {"nanos": -1},
        {"nanos": 1_000_000_000},
    ],
)
def test_what_is_no_time_is_bad_input(parts: dict[str, int]) -> None:
    with pytest.raises(AppError) as caught:
        micros_of("expires_at", Timestamp(**parts))
    assert caught.value.outcome.http_status == 400
    assert caught.value.violations[0].field == "expires_at"


def test_ids_are_compared_in_lower_case() -> None:
    assert uuid_of("id", "AAAAAAAA-0000-4000-8000-00000000000B") == (
        "aaaaaaaa-0000-4000-8000-00000000000b"
    )


@pytest.mark.parametrize("text", ["", "x", "\0", "\ud800", "aaaaaaaa-0000-4000-8000-00000000000"])
def test_what_is_no_uuid_is_bad_input(text: Any) -> None:
    with pytest.raises(AppError) as caught:
        uuid_of("user_id", text)
    assert caught.value.violations[0].field == "user_id"
