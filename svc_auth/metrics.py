"""How logins and registrations end."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter

from leaky.common.v1 import reason_pb2
from mesh.errors import AppError

LOGINS = Counter("auth_login_total", "Logins, by how they ended.", ["outcome"])
REGISTRATIONS = Counter("auth_register_total", "Registrations, by how they ended.", ["outcome"])
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
def counted(endings: Counter) -> Iterator[None]:
    """Counts how the block ends: "done", a refusal's own word, or "failed"."""
    outcome = "failed"
    try:
        yield
        outcome = "done"
    except AppError as error:
        outcome = _OUTCOMES.get(error.reason, outcome)
        raise
    finally:
        endings.labels(outcome).inc()
