"""Which service answers which method."""

from collections.abc import Iterator
from typing import Any

from leaky.analytics.v1 import analytics_service_pb2
from leaky.auth.v1 import (
    api_key_service_pb2,
    auth_service_pb2,
    invitation_service_pb2,
    oauth_client_service_pb2,
    organization_service_pb2,
    user_service_pb2,
)
from leaky.provider.v1 import chat_service_pb2
from leaky.token.v1 import (
    consume_service_pb2,
    member_cap_service_pb2,
    metering_service_pb2,
    purchase_service_pb2,
    quota_service_pb2,
)
from mesh.rpc.method import Method, methods_of

FILES = (
    auth_service_pb2,
    user_service_pb2,
    api_key_service_pb2,
    organization_service_pb2,
    invitation_service_pb2,
    oauth_client_service_pb2,
    quota_service_pb2,
    consume_service_pb2,
    metering_service_pb2,
    member_cap_service_pb2,
    purchase_service_pb2,
    analytics_service_pb2,
    chat_service_pb2,
)
_SERVICES = {"auth": "auth", "token": "token", "analytics": "analytics", "provider": "stubs"}
SERVICES = tuple(_SERVICES.values())


def methods() -> Iterator[Method[Any, Any]]:
    """Every method that may be asked for at the edge; those without a path are not served."""
    for file in FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            yield from methods_of(service)


def service_of(method: Method[Any, Any]) -> str:
    """The service behind a method, by its package: leaky.auth.v1 is auth."""
    return _SERVICES[method.service.split(".")[1]]
