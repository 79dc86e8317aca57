"""Asking svc_auth what a user is."""

from typing import Any

import pytest

from leaky.auth.v1.credential_service_pb2 import GetUserRolesRequest, GetUserRolesResponse
from leaky.common.v1 import reason_pb2
from mesh.errors import AppError
from svc_token.stores.grpc_roles import FRESH_SECONDS, GrpcRoles
from tests.svc_token.conftest import OTHER, USER, HandClock

pytestmark = pytest.mark.anyio


class Auth:
    """Where the channel to svc_auth ends."""

    def __init__(self) -> None:
        self.roles = ["USER"]
        self.refusal: AppError | None = None
        self.asked: list[str] = []

    async def unary(self, method: Any, request: Any, **_: Any) -> Any:  # noqa: ARG002 as a channel
        assert isinstance(request, GetUserRolesRequest)
        self.asked.append(request.user_id)
        if self.refusal is not None:
            raise self.refusal
        return GetUserRolesResponse(roles=self.roles)

    def stream(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        pass


async def test_an_answer_is_remembered_for_a_while_and_a_change_seen_after(
    clock: HandClock,
) -> None:
    auth = Auth()
    roles = GrpcRoles(auth, clock)
    assert [await roles.of(USER) for _ in range(3)] == [{"USER"}] * 3
    assert auth.asked == [USER]
    auth.roles = ["USER", "ADMIN"]
    clock.pass_seconds(FRESH_SECONDS)
    assert await roles.of(USER) == {"USER", "ADMIN"}
    assert await roles.of(OTHER) == {"USER", "ADMIN"}
    assert auth.asked == [USER, USER, OTHER]


@pytest.mark.parametrize(
    "reason",
    [
        reason_pb2.REASON_UNAVAILABLE,
        reason_pb2.REASON_CIRCUIT_OPEN,
        reason_pb2.REASON_DEADLINE_EXCEEDED,
        # Of us ourselves: no fault of the caller's.
        reason_pb2.REASON_UNAUTHENTICATED,
        reason_pb2.REASON_PERMISSION_DENIED,
        reason_pb2.REASON_INTERNAL,
    ],
)
async def test_no_answer_is_503_unless_an_earlier_one_is_known(
    clock: HandClock, reason: Any
) -> None:
    auth = Auth()
    roles = GrpcRoles(auth, clock)
    await roles.of(USER)
    clock.pass_seconds(3600)
    auth.refusal = AppError(reason, "no")
    assert await roles.of(USER) == {"USER"}
    with pytest.raises(AppError) as refused:
        await roles.of(OTHER)
    assert refused.value.outcome.http_status == 503
