from collections.abc import Mapping
from typing import Any

import pytest

from leaky.auth.v1.api_key_service_pb2 import ListApiKeysRequest, ListApiKeysResponse
from leaky.auth.v1.auth_service_pb2 import LoginRequest, LoginResponse
from leaky.auth.v1.credential_service_pb2 import ExchangeApiKeyRequest, ExchangeApiKeyResponse
from leaky.common.v1.reason_pb2 import REASON_UNAUTHENTICATED
from mesh.errors import AppError
from mesh.identity.principal import NOBODY, Principal
from mesh.identity.refusals import unauthenticated
from mesh.rpc.call import Call
from mesh.rpc.interceptors.principal import Authenticate
from mesh.rpc.method import Method, rpc

pytestmark = pytest.mark.anyio
PUBLIC = rpc(LoginRequest, LoginResponse)
USERS = rpc(ListApiKeysRequest, ListApiKeysResponse)
INTERNAL = rpc(ExchangeApiKeyRequest, ExchangeApiKeyResponse)
ADA = Principal(user_id="user-1")
BOB = Principal(user_id="user-2", api_key_id="key-1")


class Readers:
    """Knows one token and one API key."""

    async def principal(self, metadata: Mapping[str, str], *, api_keys: bool = True) -> Principal:
        if "authorization" in metadata:
            if metadata["authorization"] != "Bearer ada":
                raise unauthenticated("the token is not valid")
            return ADA
        if api_keys and "x-api-key" in metadata:
            if metadata["x-api-key"] != "bob":
                raise unauthenticated("the key is not valid")
            return BOB
        return NOBODY


async def served(method: Method[Any, Any], *, caller: str = "", **metadata: str) -> Call:
    """The call as the next in the chain sees it; keys as keywords, with underscores."""
    interceptor = Authenticate(Readers(), lambda call: bool(call.caller))
    named = {name.replace("_", "-"): value for name, value in metadata.items()}
    call = Call(method=method, metadata=named, caller=caller)
    seen: list[Call] = []

    async def proceed(request: Any, call: Call) -> str:
        assert request == "request"
        seen.append(call)
        return "response"

    assert await interceptor("request", call, proceed) == "response"
    return seen[0]


async def refused(method: Method[Any, Any], **metadata: str) -> AppError:
    with pytest.raises(AppError) as error:
        await served(method, **metadata)
    return error.value


async def test_the_handler_sees_who_calls() -> None:
    assert (await served(USERS)).principal is NOBODY
    assert (await served(USERS, authorization="Bearer ada")).principal is ADA
    assert (await served(USERS, x_api_key="bob")).principal is BOB


async def test_a_bad_credential_is_401_and_the_handler_is_not_reached() -> None:
    for metadata in (
        {"authorization": "Bearer eve"},
        {"x_api_key": "eve"},
    ):
        assert (await refused(USERS, **metadata)).reason == REASON_UNAUTHENTICATED
        if "x_api_key" not in metadata:
            assert (await refused(INTERNAL, **metadata)).reason == REASON_UNAUTHENTICATED


async def test_a_public_method_reads_no_users_credentials() -> None:
    for value in ("Bearer eve", "Bearer ada"):
        assert (await served(PUBLIC, authorization=value, x_api_key="eve")).principal is NOBODY


async def test_a_service_may_bring_a_user() -> None:
    for method in (USERS, INTERNAL):
        call = await served(method, caller="gateway", authorization="Bearer ada")
        assert (call.caller, call.principal) == ("gateway", ADA)


async def test_internal_methods_do_not_exchange_api_keys() -> None:
    assert (await served(INTERNAL, caller="gateway", x_api_key="bob")).principal is NOBODY


@pytest.mark.parametrize(
    "header",
    [
        "x_user_id",
        "x_user_roles",
        "x_internal_user",
        "x_internal_caller",
        "x_forwarded_user",
        "x_leaky_service",
    ],
)
async def test_identity_headers_of_clients_mean_nothing(header: str) -> None:
    call = await served(USERS, **{header: "user-1"})
    assert (call.principal, call.caller) == (NOBODY, "")


async def test_only_a_service_says_for_whose_address_it_calls() -> None:
    told = {"x_internal_client_address": "192.0.2.1"}
    for method in (PUBLIC, USERS):
        assert (await served(method, **told)).client_address == ""
        call = await served(method, caller="gateway", **told)
        assert call.client_address == "192.0.2.1"
        assert (await served(method, caller="gateway")).client_address == ""
