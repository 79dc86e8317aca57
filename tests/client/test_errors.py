"""How refusals come out: as exceptions, one class a reason."""

import pickle
from email.utils import formatdate

import pytest

from leaky.client import LeakyError, errors
from leaky.client._runtime.errors import FieldError
from mesh.errors import OUTCOMES
from tests.client.conftest import Reply, Server, Twin
from tests.ports import free_port

USER = "6f1c1b56-6c0e-4b63-9c3b-0d8f3f1f5a11"
CONSUME = ("consume.consume", {"user_id": USER, "provider": "openai", "tokens": 5})
SENT = [outcome for number, outcome in OUTCOMES.items() if number]


def refused(twin: Twin, server: Server, reply: Reply) -> LeakyError:
    server.answers(reply)
    [error] = twin.run(server.url, [CONSUME])
    assert isinstance(error, LeakyError)
    return error


def test_every_reason_has_its_own_class(twin: Twin, server: Server) -> None:
    bodies = [
        {"message": "no", "reason": outcome.name, "status": outcome.http_status, "traceId": "t1"}
        for outcome in SENT
    ]
    statuses = [outcome.http_status for outcome in SENT]
    pairs = zip(statuses, bodies, strict=True)
    server.answers(*(Reply(status=status, body=body) for status, body in pairs))
    results = twin.run(server.url, [CONSUME] * len(SENT))
    for outcome, body, error in zip(SENT, bodies, results, strict=True):
        name = "".join(word.capitalize() for word in outcome.name.split("_"))
        assert type(error) is getattr(errors, name)
        assert (error.message, error.reason, error.trace_id) == ("no", outcome.name, "t1")
        assert (error.status, error.body) == (outcome.http_status, body)
        assert str(error) == f"{outcome.name}: no [trace t1]"


def test_there_is_a_class_for_each_reason_and_no_other() -> None:
    assert set(errors.BY_REASON) == {outcome.name for outcome in SENT}


def test_a_reason_of_a_later_server_is_a_plain_error(twin: Twin, server: Server) -> None:
    error = refused(twin, server, Reply(status=418, body={"message": "m", "reason": "TEAPOT"}))
    assert type(error) is LeakyError
    assert (error.reason, error.status) == ("TEAPOT", 418)


def test_field_errors_are_kept(twin: Twin, server: Server) -> None:
    body = {
        "message": "m",
        "reason": "INVALID_ARGUMENT",
        "errors": [{"field": "tokens", "message": "at most 10000"}, "odd"],
    }
    error = refused(twin, server, Reply(status=400, body=body))
    assert error.errors == (FieldError(field="tokens", message="at most 10000"),)


def test_a_full_bucket_carries_the_consume_body(twin: Twin, server: Server) -> None:
    body = {
        "allowed": False,
        "capacity": 1000,
        "used": 998,
        "remaining": 2,
        "waitSeconds": 3,
        "timestamp": "2026-01-02T03:04:05Z",
        "providerResponse": {},
    }
    error = refused(twin, server, Reply(status=429, body=body))
    assert type(error) is errors.RateLimited
    assert (error.body, error.retry_after) == (body, 3.0)
    assert error.reason == "RATE_LIMITED"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, {"message": "rate limit exceeded", "retryAfterSeconds": 9}, errors.RateLimitExceeded),
        (503, {"service": "token-service", "status": "unavailable"}, errors.CircuitOpen),
        (503, None, errors.Unavailable),
        (401, None, errors.Unauthenticated),
        (403, {"reason": 5}, errors.PermissionDenied),
        (504, ["no", "object"], errors.DeadlineExceeded),
        (404, None, LeakyError),
        (302, None, LeakyError),
        (799, None, LeakyError),
    ],
)
def test_a_body_without_a_reason_goes_by_its_status(
    twin: Twin, server: Server, status: int, body: object, kind: type[LeakyError]
) -> None:
    error = refused(twin, server, Reply(status=status, body=body))
    assert type(error) is kind
    assert error.status == status


def test_a_page_of_a_proxy_is_an_error_too(twin: Twin, server: Server) -> None:
    error = refused(twin, server, Reply(status=502, raw=b"<html>Bad Gateway</html>"))
    assert (type(error), error.message, error.body) == (LeakyError, "HTTP 502", {})


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("1.5", 1.5), ("inf", None), ("-3", None), ("soon", None)],
)
def test_retry_after_is_in_seconds(
    twin: Twin, server: Server, header: str, seconds: float | None
) -> None:
    error = refused(twin, server, Reply(status=429, headers={"Retry-After": header}))
    assert error.retry_after == seconds


def test_retry_after_may_be_a_date(twin: Twin, server: Server) -> None:
    later = formatdate(twin.clock.time() + 30, usegmt=True)
    error = refused(twin, server, Reply(status=503, headers={"Retry-After": later}))
    assert error.retry_after == 30.0


def test_errors_survive_pickling() -> None:
    error = errors.InsufficientQuota("m", status=402, trace_id="t", body={"a": 1})
    copied = pickle.loads(pickle.dumps(error))  # noqa: S301 our own bytes
    assert type(copied) is errors.InsufficientQuota
    assert vars(copied) == vars(error)


def test_nobody_there_is_unavailable(twin: Twin) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    [error] = twin.run(url, [CONSUME])
    assert type(error) is errors.Unavailable
    assert error.status is None
    assert url in error.message
    assert error.__cause__ is not None
