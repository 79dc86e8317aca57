"""Ids and times between proto and domain."""

import uuid

from google.protobuf.timestamp_pb2 import Timestamp

from mesh.errors import invalid
from mesh.rpc.times import timestamp
from svc_auth.domain.membership import Standing, standing_of

# What google.protobuf.Timestamp may hold: the years 1 to 9999.
FIRST_SECOND = -62_135_596_800
LAST_SECOND = 253_402_300_799
SECOND = 1_000_000
NANOS = 1_000_000_000


def uuid_of(field: str, text: str) -> str:
    """The UUID in lower case, as ids are stored and compared."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise invalid(field, "must be a UUID") from None


def standing_at(field: str, text: str) -> Standing:
    """What a member is to be."""
    standing = standing_of(text)
    if standing is None:
        raise invalid(field, "must be one of " + ", ".join(Standing))
    return standing


def micros_of(field: str, sent: Timestamp) -> int:
    """Microseconds since the epoch; gRPC clients may send what is no time at all."""
    seconds, nanos = sent.seconds, sent.nanos
    if not (FIRST_SECOND <= seconds <= LAST_SECOND and 0 <= nanos < NANOS):
        raise invalid(field, "must be a time between the years 1 and 9999")
    return seconds * SECOND + nanos // 1_000


def optional_timestamp(micros: int | None) -> Timestamp | None:
    """The time, or None, which leaves a field unset."""
    return None if micros is None else timestamp(micros)
