"""The comments of proto files, by the full name of what they speak of."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    ServiceDescriptorProto,
)

Path = tuple[int, ...]
Named = tuple[Path, str]


def comments_of(files: Iterable[FileDescriptorProto]) -> dict[str, str]:
    """Full name to comment, sorted; what has no comment is left out.

    An enum's value is named beside its enum, as protobuf scopes it:
    `leaky.common.v1.REASON_INTERNAL`. Lines of a paragraph are joined.
    """
    found = {}
    for file in files:
        names = dict(_file(file))
        for location in file.source_code_info.location:
            comment = _unwrapped(location.leading_comments or location.trailing_comments)
            name = names.get(tuple(location.path))
            if name and comment:
                found[name] = comment
    return dict(sorted(found.items()))


def _unwrapped(comment: str) -> str:
    paragraphs = comment.strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _file(file: FileDescriptorProto) -> Iterator[Named]:
    number = _numbers(FileDescriptorProto)
    for index, message in enumerate(file.message_type):
        yield from _message(message, (number["message_type"], index), file.package)
    for index, enum in enumerate(file.enum_type):
        yield from _enum(enum, (number["enum_type"], index), file.package)
    for index, service in enumerate(file.service):
        yield from _service(service, (number["service"], index), file.package)


def _message(message: DescriptorProto, path: Path, scope: str) -> Iterator[Named]:
    number = _numbers(DescriptorProto)
    name = f"{scope}.{message.name}"
    yield path, name
    yield from _members(message.field, (*path, number["field"]), name)
    for index, nested in enumerate(message.nested_type):
        yield from _message(nested, (*path, number["nested_type"], index), name)
    for index, enum in enumerate(message.enum_type):
        yield from _enum(enum, (*path, number["enum_type"], index), name)


def _enum(enum: EnumDescriptorProto, path: Path, scope: str) -> Iterator[Named]:
    yield path, f"{scope}.{enum.name}"
    yield from _members(enum.value, (*path, _numbers(EnumDescriptorProto)["value"]), scope)


def _service(service: ServiceDescriptorProto, path: Path, scope: str) -> Iterator[Named]:
    name = f"{scope}.{service.name}"
    yield path, name
    yield from _members(service.method, (*path, _numbers(ServiceDescriptorProto)["method"]), name)


def _members(members: Sequence[Any], path: Path, scope: str) -> Iterator[Named]:
    for index, member in enumerate(members):
        yield (*path, index), f"{scope}.{member.name}"


def _numbers(message: Any) -> dict[str, int]:
    # A location's path is made of the field numbers of descriptor.proto.
    return {field.name: field.number for field in message.DESCRIPTOR.fields}
