"""The errors of this room, so that each reads the same wherever it is raised."""

from leaky.common.v1 import reason_pb2
from mesh.errors import AppError


def unauthenticated(message: str) -> AppError:
    """A 401: no credential, or a bad one."""
    return AppError(reason_pb2.REASON_UNAUTHENTICATED, message)


def invalid_api_key() -> AppError:
    """A 401: the API key is unknown, expired or revoked."""
    return AppError(reason_pb2.REASON_INVALID_API_KEY, "the API key is not valid")


def denied(message: str) -> AppError:
    """A 403: a known caller that may not do this."""
    return AppError(reason_pb2.REASON_PERMISSION_DENIED, message)


def insufficient_scope(message: str) -> AppError:
    """A 403: the credential is limited, and not to this (RFC 6750, section 3.1)."""
    return AppError(reason_pb2.REASON_SCOPE_INSUFFICIENT, message)


def unavailable() -> AppError:
    """A 503: svc_auth is needed and does not answer; says nothing about the credential."""
    message = "credentials cannot be checked at the moment"
    return AppError(reason_pb2.REASON_UNAVAILABLE, message, retry_after=1.0, away="auth")
