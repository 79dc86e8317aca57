"""Moments as protobuf has them."""

from google.protobuf.timestamp_pb2 import Timestamp


def timestamp(at_us: int) -> Timestamp:
    """A moment given in microseconds since the Unix epoch."""
    seconds, micros = divmod(at_us, 1_000_000)
    return Timestamp(seconds=seconds, nanos=micros * 1_000)


def micros(at: Timestamp) -> int:
    """A moment in microseconds since the Unix epoch."""
    return at.seconds * 1_000_000 + at.nanos // 1_000
