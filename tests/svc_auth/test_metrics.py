"""How logins end, and by when a signing key must have been rotated."""

from contextlib import ExitStack
from typing import Any

import pytest
from prometheus_client import REGISTRY

from leaky.common.v1 import reason_pb2
from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.telemetry.closed import Closed
from mesh.telemetry.tally import Counter
from svc_auth.crypto.keyring import open_keyring
from svc_auth.crypto.vault import Vault
from svc_auth.metrics import LOGINS, REGISTRATIONS, counted
from svc_auth.stores.stores import AuthStores
from svc_auth.workers.key_rotation import Rotating
from tests.svc_auth.test_rotation import EVERY, LIFETIMES, SECOND

pytestmark = pytest.mark.anyio


def ended(metric: str, outcome: str) -> float:
    value = REGISTRY.get_sample_value(metric, {"outcome": outcome})
    assert value is not None
    return value


@pytest.mark.parametrize(
    ("endings", "reason", "outcome"),
    [
        (LOGINS, None, "done"),
        (LOGINS, reason_pb2.REASON_BAD_CREDENTIALS, "bad_credentials"),
        (LOGINS, reason_pb2.REASON_USER_DISABLED, "disabled"),
        (LOGINS, reason_pb2.REASON_LOGIN_THROTTLED, "throttled"),
        (LOGINS, reason_pb2.REASON_OVERLOADED, "overloaded"),
        (LOGINS, reason_pb2.REASON_INVALID_ARGUMENT, "invalid"),
        (LOGINS, REASON_UNAVAILABLE, "failed"),
        # Of another's set.
        (LOGINS, reason_pb2.REASON_WEAK_PASSWORD, "failed"),
        (REGISTRATIONS, None, "done"),
        (REGISTRATIONS, reason_pb2.REASON_WEAK_PASSWORD, "weak_password"),
        (REGISTRATIONS, reason_pb2.REASON_EMAIL_TAKEN, "taken"),
        (REGISTRATIONS, reason_pb2.REASON_USERNAME_TAKEN, "taken"),
        (REGISTRATIONS, reason_pb2.REASON_USER_DISABLED, "failed"),
    ],
)
def test_an_end_is_counted_by_its_own_word(
    endings: Closed[Counter], reason: reason_pb2.Reason.ValueType | None, outcome: str
) -> None:
    before = ended(endings.name, outcome)
    with ExitStack() as stack:
        if reason is not None:
            stack.enter_context(pytest.raises(AppError))
        stack.enter_context(counted(endings))
        if reason is not None:
            raise AppError(reason, "no")
    assert ended(endings.name, outcome) == before + 1


def must_be_rotated(alg: str) -> float:
    name = "auth_signing_key_expiry_timestamp_seconds"
    value = REGISTRY.get_sample_value(name, {"alg": alg})
    assert value is not None
    return value


async def test_a_key_must_be_rotated_when_it_has_signed_for_its_time(
    store: AuthStores, clock: Any
) -> None:
    ring = await open_keyring(store.signing_keys, Vault("a secret of the tests"), clock, LIFETIMES)
    rotating = Rotating(ring, every=EVERY, look_seconds=30)
    await rotating.look()
    began = clock.now
    first = (began + EVERY) / SECOND
    assert must_be_rotated("RS256") == must_be_rotated("ES256") == first
    clock.now += EVERY - LIFETIMES.publish_before - SECOND
    await rotating.look()
    assert must_be_rotated("RS256") == first
    # The next key is published: it will sign from the moment on that the first one's turn ends.
    clock.now += SECOND
    await rotating.look()
    assert must_be_rotated("RS256") == must_be_rotated("ES256") == first + EVERY / SECOND


async def test_where_nobody_can_rotate_the_moment_stays_and_passes(
    store: AuthStores, clock: Any
) -> None:
    ring = await open_keyring(store.signing_keys, Vault("a secret of the tests"), clock, LIFETIMES)
    rotating = Rotating(ring, every=EVERY, look_seconds=30)
    await rotating.look()
    first = must_be_rotated("RS256")

    async def away() -> None:
        raise AppError(REASON_UNAVAILABLE, "the database is away")

    ring.refresh = away  # type: ignore[method-assign]
    clock.now += 2 * EVERY
    await rotating.look()
    assert must_be_rotated("RS256") == first < clock.now / SECOND
