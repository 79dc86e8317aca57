"""How logins and registrations end, and when a signing key's turn does."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from leaky.common.v1 import reason_pb2
from mesh.errors import AppError
from mesh.identity.jose import ES256, RS256
from mesh.telemetry.closed import Closed
from mesh.telemetry.tally import Counter, Gauge

DONE, FAILED = "done", "failed"
LOGINS = Closed(
    Counter,
    "auth_login_total",
    "Logins, by how they ended.",
    {
        "outcome": (
            DONE,
            FAILED,
            "invalid",
            "bad_credentials",
            "disabled",
            "throttled",
            "overloaded",
        )
    },
    spare={"outcome": FAILED},
)
REGISTRATIONS = Closed(
    Counter,
    "auth_register_total",
    "Registrations, by how they ended.",
    {"outcome": (DONE, FAILED, "invalid", "taken", "weak_password", "overloaded")},
    spare={"outcome": FAILED},
)
KEY_EXPIRY = Closed(
    Gauge,
    "auth_signing_key_expiry_timestamp_seconds",
    "When the newest signing key must have been rotated, in seconds since 1970.",
    {"alg": (RS256, ES256)},
)
# A 0 would be a moment long ago.
for _child in KEY_EXPIRY.children():
    _child.set(math.nan)
_OUTCOMES = {
    reason_pb2.REASON_INVALID_ARGUMENT: "invalid",
    reason_pb2.REASON_BAD_CREDENTIALS: "bad_credentials",
    reason_pb2.REASON_USER_DISABLED: "disabled",
    reason_pb2.REASON_LOGIN_THROTTLED: "throttled",
    reason_pb2.REASON_OVERLOADED: "overloaded",
    reason_pb2.REASON_USERNAME_TAKEN: "taken",
    reason_pb2.REASON_EMAIL_TAKEN: "taken",
    reason_pb2.REASON_WEAK_PASSWORD: "weak_password",
}


@contextmanager
def counted(endings: Closed[Counter]) -> Iterator[None]:
    """Counts how the block ends: "done", a refusal's own word, or "failed"."""
    outcome = FAILED
    try:
        yield
        outcome = DONE
    except AppError as error:
        outcome = _OUTCOMES.get(error.reason, outcome)
        raise
    finally:
        endings.of(outcome).inc()
