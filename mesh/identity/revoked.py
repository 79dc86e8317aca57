"""What svc_auth says is good for nothing any more."""

from dataclasses import dataclass

from leaky.auth.v1.credential_service_pb2 import RevocationKind, WatchRevocationsResponse
from mesh.rpc.times import micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """One revocation, as its kind says: of what was issued before `at_us`.

    From `until_us` on all of that has ended by itself; both in microseconds
    since the epoch.
    """

    kind: RevocationKind.ValueType
    subject: str
    at_us: int = 0
    until_us: int = 0


def revoked_of(message: WatchRevocationsResponse) -> Revoked:
    """The message of the stream."""
    return Revoked(
        kind=message.kind,
        subject=message.subject,
        at_us=micros(message.at),
        until_us=micros(message.until),
    )
