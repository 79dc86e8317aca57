"""A message type with a field of every kind, and an app over real handlers."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    message_factory,
    timestamp_pb2,
    wrappers_pb2,
)

from leaky.analytics.v1 import analytics_service_pb2
from leaky.auth.v1 import api_key_service_pb2, credential_service_pb2, organization_service_pb2
from leaky.auth.v1.api_key_pb2 import ApiKey
from leaky.auth.v1.api_key_service_pb2 import ListApiKeysResponse
from leaky.provider.v1 import chat_service_pb2
from leaky.provider.v1.chat_service_pb2 import ChatResponse
from leaky.token.v1 import consume_service_pb2, purchase_service_pb2, quota_service_pb2
from leaky.token.v1.consume_service_pb2 import ConsumeResponse
from leaky.token.v1.purchase_pb2 import Purchase
from leaky.token.v1.purchase_service_pb2 import GetPurchaseResponse
from leaky.token.v1.quota_service_pb2 import GetStatusResponse
from mesh.edge.app import service_app
from mesh.rpc.call import Call
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.interceptors.validation import ValidationInterceptor
from mesh.rpc.local_channel import LocalChannel
from mesh.rpc.method import methods_of
from mesh.settings import Live, MeshSettings

Field = descriptor_pb2.FieldDescriptorProto
SCALARS = {
    "double": Field.TYPE_DOUBLE,
    "float": Field.TYPE_FLOAT,
    "int32": Field.TYPE_INT32,
    "int64": Field.TYPE_INT64,
    "uint32": Field.TYPE_UINT32,
    "uint64": Field.TYPE_UINT64,
    "sint32": Field.TYPE_SINT32,
    "sint64": Field.TYPE_SINT64,
    "fixed32": Field.TYPE_FIXED32,
    "fixed64": Field.TYPE_FIXED64,
    "sfixed32": Field.TYPE_SFIXED32,
    "sfixed64": Field.TYPE_SFIXED64,
    "bool": Field.TYPE_BOOL,
    "string": Field.TYPE_STRING,
    "bytes": Field.TYPE_BYTES,
    "enum": Field.TYPE_ENUM,
}
MAP_KEYS = ("int32", "int64", "uint64", "bool", "string")
WELL_KNOWN = ("Timestamp", "Duration", "Int64Value", "DoubleValue", "StringValue", "BoolValue")
DEPENDENCIES = [module.DESCRIPTOR.name for module in (duration_pb2, timestamp_pb2, wrappers_pb2)]


def _typed(field: Any, kind: str) -> None:
    if kind in SCALARS:
        field.type = SCALARS[kind]
        if kind == "enum":
            field.type_name = ".leaky.test.Colour"
        return
    field.type = Field.TYPE_MESSAGE
    prefix = ".google.protobuf" if kind in WELL_KNOWN else ".leaky.test"
    field.type_name = f"{prefix}.{kind}"


class Builder:
    def __init__(self, message: Any) -> None:
        self.message = message

    def add(self, name: str, kind: str, label: int = Field.LABEL_OPTIONAL) -> Any:
        field = self.message.field.add(name=name, number=len(self.message.field) + 1, label=label)
        _typed(field, kind)
        return field

    def optional(self, name: str, kind: str) -> None:
        field = self.add(name, kind)
        field.proto3_optional = True
        field.oneof_index = len(self.message.oneof_decl)
        self.message.oneof_decl.add(name=f"_{name}")

    def map(self, name: str, key: str, value: str) -> None:
        entry_name = "".join(part.capitalize() for part in name.split("_")) + "Entry"
        entry = self.message.nested_type.add(name=entry_name)
        entry.options.map_entry = True
        _typed(entry.field.add(name="key", number=1, label=1), key)
        _typed(entry.field.add(name="value", number=2, label=1), value)
        field = self.message.field.add(
            name=name, number=len(self.message.field) + 1, label=Field.LABEL_REPEATED
        )
        field.type = Field.TYPE_MESSAGE
        field.type_name = f".leaky.test.Everything.{entry_name}"


def _everything(file: Any) -> None:
    build = Builder(file.message_type.add(name="Everything"))
    build.message.oneof_decl.add(name="choice")
    for name, kind in (
        ("chosen_text", "string"),
        ("chosen_count", "int64"),
        ("chosen_leaf", "Leaf"),
    ):
        build.add(name, kind).oneof_index = 0
    for kind in SCALARS:
        build.add(f"one_{kind}", kind)
        build.add(f"many_{kind}", kind, Field.LABEL_REPEATED)
    for kind in WELL_KNOWN:
        build.add(f"a_{kind.lower()}", kind)
    build.add("many_timestamp", "Timestamp", Field.LABEL_REPEATED)
    build.add("leaf", "Leaf")
    build.add("leaves", "Leaf", Field.LABEL_REPEATED)
    build.add("itself", "Everything")
    for key in MAP_KEYS:
        build.map(f"by_{key}", key, "double")
    build.map("leaf_by_name", "string", "Leaf")
    build.map("colour_by_name", "string", "enum")
    # Oneofs that protoc makes for `optional` come after the real ones.
    for kind in SCALARS:
        build.optional(f"maybe_{kind}", kind)


def _file() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="leaky/test/everything.proto", package="leaky.test", syntax="proto3"
    )
    file.dependency.extend(DEPENDENCIES)
    colours = file.enum_type.add(name="Colour")
    for number, name in enumerate(("COLOUR_UNSPECIFIED", "COLOUR_RED", "COLOUR_BLUE")):
        colours.value.add(name=name, number=number)
    leaf = Builder(file.message_type.add(name="Leaf"))
    leaf.add("user_id", "string")
    leaf.add("count", "int64")
    leaf.optional("ratio", "double")
    _everything(file)
    return file


@pytest.fixture(scope="session")
def everything() -> Any:
    """The class of leaky.test.Everything."""
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(_file().SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("leaky.test.Everything"))


MICROS = 1_700_000_000_123_456
USER = "3f1b2c4d-0000-4000-8000-00000000000a"
PROVIDER_JSON = b'{ "id": "x",  "ratio": 1.50 }'


class FixedClock:
    def now_us(self) -> int:
        return MICROS

    def monotonic(self) -> float:
        return 0.0


class Script:
    """What the next call does, and what calls brought."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.requests: list[Any] = []
        self.calls: list[Call] = []
        self.timeouts: list[float | None] = []

    def note(self, request: Any, call: Call) -> None:
        self.requests.append(request)
        self.calls.append(call)
        if self.error is not None:
            raise self.error


def answering(service: Any, script: Script, answers: dict[str, Any]) -> Any:
    """A servicer whose coroutines note their requests and give the answers."""

    def handler(name: str, kind: Any) -> Any:
        async def handle(_self: Any, request: Any, call: Call) -> Any:
            script.note(request, call)
            return answers.get(name) or kind()

        return handle

    members = {
        re.sub(r"(?<!^)(?=[A-Z])", "_", method.name).lower(): handler(method.name, method.response)
        for method in methods_of(service)
    }
    return type("Answering", (), {"SERVICE": service, **members})()


def _stamped(message: Any, field: str) -> Any:
    getattr(message, field).FromMicroseconds(MICROS)
    return message


ANSWERS = {
    "GetStatus": GetStatusResponse(service="token-service", status="ok", version="1"),
    "Consume": _stamped(
        ConsumeResponse(
            allowed=True, capacity=1000, used=5, remaining=995, provider_response=PROVIDER_JSON
        ),
        "timestamp",
    ),
    "GetPurchase": GetPurchaseResponse(purchase=Purchase(id="p", tokens=7)),
    "ListApiKeys": ListApiKeysResponse(api_keys=[ApiKey(id="k", name="first")]),
    "Chat": ChatResponse(body=PROVIDER_JSON),
}
SERVICES = [
    quota_service_pb2.DESCRIPTOR.services_by_name["QuotaService"],
    consume_service_pb2.DESCRIPTOR.services_by_name["ConsumeService"],
    purchase_service_pb2.DESCRIPTOR.services_by_name["PurchaseService"],
    api_key_service_pb2.DESCRIPTOR.services_by_name["ApiKeyService"],
    organization_service_pb2.DESCRIPTOR.services_by_name["OrganizationService"],
    analytics_service_pb2.DESCRIPTOR.services_by_name["AnalyticsService"],
    chat_service_pb2.DESCRIPTOR.services_by_name["ChatService"],
    credential_service_pb2.DESCRIPTOR.services_by_name["CredentialService"],
]


class Noting(LocalChannel):
    """Runs the handlers in this process and notes the deadlines it was given."""

    def __init__(self, dispatcher: Dispatcher, script: Script) -> None:
        super().__init__(dispatcher)
        self._script = script

    async def unary(
        self,
        method: Any,
        request: Any,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        metadata: Any = None,
    ) -> Any:
        self._script.timeouts.append(timeout)
        return await super().unary(method, request, timeout=timeout, metadata=metadata)


class World:
    """An app over real handlers and real field rules, and a client of it."""

    def __init__(self, env: dict[str, str] | None = None, **options: Any) -> None:
        self.script = Script()
        dispatcher = Dispatcher([ValidationInterceptor()])
        for service in SERVICES:
            dispatcher.add(answering(service, self.script, ANSWERS))
        channel = Noting(dispatcher, self.script)
        self.methods = list(dispatcher.methods.values())
        self.settings = Live.read(MeshSettings, env or {})
        self.app = service_app(
            title="Test",
            version="1.2.3",
            methods=self.methods,
            channel_for=lambda _method: channel,
            settings=self.settings,
            **{"ready": {}, "clock": FixedClock(), **options},
        )

    async def send(
        self, verb: str, path: str, *, scheme: str = "http", **options: Any
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, client=("192.0.2.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://edge") as client:
            return await client.request(verb, path, **options)

    async def consume(self, **fields: Any) -> httpx.Response:
        body = {"userId": USER, "provider": "openai", "tokens": 5, **fields}
        return await self.send("POST", "/api/v1/tokens/consume", json=body)


@pytest.fixture
def make_world(tmp_path: Path) -> Any:
    def make(env: dict[str, str] | None = None, **options: Any) -> World:
        return World({"LEAKY_DATA": str(tmp_path), **(env or {})}, **options)

    return make


@pytest.fixture
def world(make_world: Any) -> World:
    made: World = make_world()
    return made
