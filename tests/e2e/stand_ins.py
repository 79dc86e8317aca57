"""What a README's shell needs where it is not installed: `curl` and `grpcurl`, as far as used.

Run as a program: `python stand_ins.py curl ARGUMENTS...`.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import grpc
import httpx
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToJson, Parse
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

SECONDS = 10.0


def curl(arguments: Sequence[str]) -> str:
    """What `curl -s` prints."""
    parser = argparse.ArgumentParser(prog="curl")
    parser.add_argument("url")
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", dest="body")
    parser.add_argument("-w", dest="after", default="")
    given = parser.parse_args(arguments)
    method = given.method or ("GET" if given.body is None else "POST")
    headers = dict(map(_header, given.headers))
    answer = httpx.request(method, given.url, headers=headers, content=given.body, timeout=SECONDS)
    after = str(given.after).replace("%{http_code}", str(answer.status_code))
    return answer.text + after.replace("\\n", "\n")


def grpcurl(arguments: Sequence[str]) -> str:
    """What `grpcurl -plaintext` prints for `list` and for a unary call."""
    parser = argparse.ArgumentParser(prog="grpcurl")
    parser.add_argument("-plaintext", action="store_true", required=True)
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", dest="body", default="{}")
    parser.add_argument("target")
    parser.add_argument("what")
    given = parser.parse_args(arguments)
    headers = [*map(_header, given.headers)]
    with grpc.insecure_channel(given.target) as channel:
        reflected = ProtoReflectionDescriptorDatabase(channel)
        if given.what == "list":
            return "\n".join(sorted(reflected.get_services()))
        return _call(channel, DescriptorPool(reflected), given.what, given.body, headers)


def _header(text: str) -> tuple[str, str]:
    name, value = text.split(": ", 1)
    return name, value


def _call(
    channel: grpc.Channel,
    pool: DescriptorPool,
    method: str,
    body: str,
    headers: Sequence[tuple[str, str]],
) -> str:
    service, name = method.split("/")
    described = pool.FindServiceByName(service).methods_by_name[name]
    request = Parse(body, GetMessageClass(described.input_type)())
    call: grpc.UnaryUnaryMultiCallable[Any, Any] = channel.unary_unary(
        f"/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(described.output_type).FromString,
    )
    answer = call(request, metadata=tuple(headers), timeout=SECONDS)
    # Field names as grpcurl gets them by reflection.
    return MessageToJson(answer, preserving_proto_field_name=True)


if __name__ == "__main__":
    print({"curl": curl, "grpcurl": grpcurl}[sys.argv[1]](sys.argv[2:]))  # noqa: T201
