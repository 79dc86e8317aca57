"""Methods as their descriptors tell them."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from leaky.edge.v1 import options_pb2
from leaky.edge.v1.options_pb2 import Rule

Req = TypeVar("Req", bound=Message)
Res = TypeVar("Res", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Method(Generic[Req, Res]):
    """One RPC. `path` is what gRPC sends: "/package.Service/Method"."""

    path: str
    service: str
    name: str
    request: type[Req]
    response: type[Res]
    rule: Rule
    # The rule's own, looked at by each call: a message's field takes three times as long.
    access: int
    deadline: int
    streams: bool
    idempotent: bool
    descriptor: MethodDescriptor


def rpc(request: type[Req], response: type[Res]) -> Method[Req, Res]:
    """The method that takes this request; every rpc has a request of its own.

    Raises LookupError when no method of the request's file takes and gives these.
    """
    for service in request.DESCRIPTOR.file.services_by_name.values():
        for descriptor in service.methods:
            if descriptor.input_type is request.DESCRIPTOR:
                if descriptor.output_type is not response.DESCRIPTOR:
                    break
                return cast("Method[Req, Res]", _method(descriptor))
    message = f"no rpc from {request.DESCRIPTOR.full_name} to {response.DESCRIPTOR.full_name}"
    raise LookupError(message)


def methods_of(service: ServiceDescriptor) -> list[Method[Message, Message]]:
    """All methods of a service, in the order of its proto."""
    return [_method(descriptor) for descriptor in service.methods]


def _method(descriptor: Any) -> Method[Message, Message]:
    options = descriptor.GetOptions()
    rule = options.Extensions[options_pb2.rule]
    service = descriptor.containing_service.full_name
    return Method(
        path=f"/{service}/{descriptor.name}",
        service=service,
        name=descriptor.name,
        request=GetMessageClass(descriptor.input_type),
        response=GetMessageClass(descriptor.output_type),
        rule=rule,
        access=rule.access,
        deadline=rule.deadline,
        streams=descriptor.server_streaming,
        idempotent=options.idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN,
        descriptor=descriptor,
    )
