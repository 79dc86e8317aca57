from typing import Any, ClassVar

import pytest
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2

from leaky.common.v1.reason_pb2 import REASON_UNIMPLEMENTED
from mesh.errors import AppError
from mesh.rpc.call import CURRENT, Call
from mesh.rpc.dispatcher import Dispatcher, Handler, Interceptor
from tests.mesh.rpc.serving import GET, QUOTAS, STATUS, quotas

pytestmark = pytest.mark.anyio


class Unruled:
    """gRPC's own health service, whose rpcs have no rule of ours."""

    SERVICE: ClassVar[ServiceDescriptor] = health_pb2.DESCRIPTOR.services_by_name["Health"]

    async def check(self, request: Any, call: Call) -> Any: ...
    async def list(self, request: Any, call: Call) -> Any: ...
    async def watch(self, request: Any, call: Call) -> Any: ...


class Halfway:
    SERVICE: ClassVar[ServiceDescriptor] = QUOTAS

    async def get_status(self, request: Any, call: Call) -> Any: ...


class Plain(Halfway):
    def get_quota(self, request: Any, call: Call) -> Any: ...


def passing(name: str, seen: list[str]) -> Interceptor:
    async def intercept(request: Any, call: Call, proceed: Handler) -> Any:
        seen.append(f"{name} in")
        answer = await proceed(request, call)
        seen.append(f"{name} out")
        return answer

    return intercept


def test_an_rpc_without_an_access_rule_is_not_served() -> None:
    with pytest.raises(TypeError, match=r"/grpc\.health\.v1\.Health/Check has no access rule"):
        Dispatcher([]).add(Unruled())


@pytest.mark.parametrize("servicer", [Halfway(), Plain()])
def test_an_rpc_without_a_coroutine_is_not_served(servicer: Halfway) -> None:
    with pytest.raises(TypeError, match="has no coroutine get_quota for "):
        Dispatcher([]).add(servicer)


async def test_a_call_passes_the_chain_in_order_and_comes_back() -> None:
    seen: list[str] = []

    async def handle(_request: Any, _call: Call) -> Any:
        seen.append("handler")
        return STATUS.response(version="1")

    dispatcher = Dispatcher([passing("outer", seen), passing("inner", seen)])
    dispatcher.add(quotas(get_status=handle))
    answer = await dispatcher.call(STATUS.request(), Call(method=STATUS, metadata={}))
    assert answer.version == "1"
    assert seen == ["outer in", "inner in", "handler", "inner out", "outer out"]


async def test_the_call_being_served_is_known_within_and_only_there() -> None:
    calls: list[Any] = []
    dispatcher = Dispatcher([])

    async def outer(_request: Any, _call: Call) -> Any:
        await dispatcher.call(GET.request(), Call(method=GET, metadata={}))
        calls.append(CURRENT.get())
        return STATUS.response()

    async def inner(_request: Any, _call: Call) -> Any:
        calls.append(CURRENT.get())
        raise RuntimeError("boom")

    async def guard(_request: Any, call: Call) -> Any:
        with pytest.raises(RuntimeError):
            await inner(_request, call)
        return GET.response()

    dispatcher.add(quotas(get_status=outer, get_quota=guard))
    await dispatcher.call(STATUS.request(), Call(method=STATUS, metadata={}))
    assert [call.method.name for call in calls] == ["GetQuota", "GetStatus"]
    assert CURRENT.get() is None


async def test_a_method_that_is_not_served_is_unimplemented() -> None:
    with pytest.raises(AppError, match="GetQuota is not served here") as refused:
        await Dispatcher([]).call(GET.request(), Call(method=GET, metadata={}))
    assert refused.value.reason == REASON_UNIMPLEMENTED
