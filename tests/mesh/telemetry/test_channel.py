"""Measured over a channel that nobody serves, and over this process's own methods."""

import asyncio
from typing import Any, ClassVar

import pytest
from google.protobuf.descriptor import ServiceDescriptor
from prometheus_client import REGISTRY

from leaky.common.v1.reason_pb2 import REASON_USER_NOT_FOUND
from leaky.token.v1 import quota_service_pb2
from mesh.errors import AppError
from mesh.rpc.channel import Channel
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.grpc_channel import GrpcChannel
from mesh.rpc.local_channel import LocalChannel
from mesh.rpc.method import Method, methods_of
from mesh.telemetry.channel import MeasuredChannel
from tests.ports import free_port

QUOTAS = quota_service_pb2.DESCRIPTOR.services_by_name["QuotaService"]
METHODS = {method.name: method for method in methods_of(QUOTAS)}
GET = METHODS["GetQuota"]


def counted(code: str) -> float:
    labels = {"grpc_service": GET.service, "grpc_method": GET.name, "grpc_code": code}
    return REGISTRY.get_sample_value("grpc_client_handled_total", labels) or 0


async def call(channel: Channel, method: Method[Any, Any] = GET) -> Any:
    measured = MeasuredChannel(channel)
    try:
        return await measured.unary(method, method.request(), timeout=5)
    finally:
        await measured.close()


class Quotas:
    SERVICE: ClassVar[ServiceDescriptor] = QUOTAS

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def __getattr__(self, _name: str) -> Any:
        async def handler(_request: Any, _call: Any) -> Any:
            if isinstance(self._answer, Exception):
                raise self._answer
            return self._answer

        return handler


def local(answer: Any) -> LocalChannel:
    dispatcher = Dispatcher([])
    dispatcher.add(Quotas(answer))
    return LocalChannel(dispatcher)


def test_a_response_counts_as_ok_and_is_handed_on() -> None:
    before, answer = counted("OK"), GET.response()
    assert asyncio.run(call(local(answer))) is answer
    assert counted("OK") == before + 1


def test_an_error_counts_under_its_code_and_is_raised() -> None:
    before = counted("NOT_FOUND")
    with pytest.raises(AppError, match="no such quota"):
        asyncio.run(call(local(AppError(REASON_USER_NOT_FOUND, "no such quota"))))
    assert counted("NOT_FOUND") == before + 1


def test_nobody_there_counts_as_unavailable() -> None:
    before = counted("UNAVAILABLE")

    async def run() -> None:
        with pytest.raises(AppError):
            await call(GrpcChannel(f"127.0.0.1:{free_port()}"))

    asyncio.run(run())
    assert counted("UNAVAILABLE") == before + 1
