from typing import Any

import pytest

from leaky.auth.v1.auth_service_pb2 import LoginRequest, LoginResponse
from mesh.errors import AppError
from mesh.identity.policy import LocalPolicy
from mesh.identity.principal import Principal
from mesh.identity.refusals import denied
from mesh.rpc.call import Call
from mesh.rpc.interceptors.authorize import Admit, Authorize
from mesh.rpc.method import rpc

pytestmark = pytest.mark.anyio
LOGIN = rpc(LoginRequest, LoginResponse)


class OnlyAda(LocalPolicy):
    def admit(self, call: Call) -> None:
        if call.principal.anonymous:
            raise denied("nobody")

    async def check(self, request: Any, call: Call) -> None:
        assert call.method is LOGIN
        if request.username != "ada":
            raise denied("not ada")


async def answer(request: LoginRequest, _: Call) -> str:
    return f"hello {request.username}"


async def test_what_the_policy_allows_goes_on() -> None:
    call = Call(method=LOGIN, metadata={})
    assert await Authorize(OnlyAda())(LoginRequest(username="ada"), call, answer) == "hello ada"


async def test_what_the_policy_refuses_never_reaches_the_handler() -> None:
    call = Call(method=LOGIN, metadata={})

    async def handler(_request: Any, _call: Call) -> Any:
        raise AssertionError("reached")

    with pytest.raises(AppError, match="not ada"):
        await Authorize(OnlyAda())(LoginRequest(username="eve"), call, handler)


async def test_who_is_not_admitted_is_turned_away_before_the_request_is_looked_at() -> None:
    with pytest.raises(AppError, match="nobody"):
        await Admit(OnlyAda())(LoginRequest(), Call(method=LOGIN, metadata={}), answer)
    ada = Call(method=LOGIN, metadata={}, principal=Principal(user_id="a"))
    assert await Admit(OnlyAda())(LoginRequest(username="x"), ada, answer) == "hello x"
