"""The ways into the system: each instance's gRPC port, and REST at the edge."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

import aiohttp
from google.protobuf.message import Message

from leaky.common.v1 import reason_pb2
from mesh.errors import BY_NAME, AppError
from mesh.rpc.grpc_channel import GrpcChannel
from mesh.rpc.method import rpc
from tests.faults.history import Outcome

SECONDS = 5.0
# After these nobody knows whether it was done.
UNSURE = {
    reason_pb2.REASON_UNAVAILABLE,
    reason_pb2.REASON_DEADLINE_EXCEEDED,
    reason_pb2.REASON_INTERNAL,
    reason_pb2.REASON_OVERLOADED,
    # The first with the key may still come to its end.
    reason_pb2.REASON_IDEMPOTENCY_KEY_IN_FLIGHT,
}


class Door(Protocol):
    """One way in."""

    def takes(self, request: Message) -> bool:
        """Whether this is a way for it."""
        ...

    async def ask(self, request: Message, answer: type[Any]) -> Mapping[str, Any]:
        """The answer's fields by their JSON names. Raises AppError."""
        ...


class GrpcDoor:
    """Straight to one instance of svc_token."""

    def __init__(self, target: str) -> None:
        self._channel = GrpcChannel(target)

    def takes(self, request: Message) -> bool:
        """Everything."""
        del request
        return True

    async def ask(self, request: Message, answer: type[Any]) -> Mapping[str, Any]:
        """The answer as its fields."""
        method = rpc(type(request), answer)
        said = await self._channel.unary(method, request, timeout=SECONDS)
        return {field.json_name: value for field, value in said.ListFields()}

    async def close(self) -> None:
        """Ends the connection."""
        await self._channel.close()


class RestDoor:
    """The edge. `paths` are by the request's name."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    def takes(self, request: Message) -> bool:
        """What has a path below."""
        return type(request).__name__ in PATHS

    async def ask(self, request: Message, answer: type[Any]) -> Mapping[str, Any]:
        """The answer's JSON."""
        del answer
        path, headers = PATHS[type(request).__name__]
        fields = {field.name: value for field, value in request.ListFields()}
        sent = {name: str(fields.pop(field)) for name, field in headers.items() if field in fields}
        body = {request.DESCRIPTOR.fields_by_name[k].json_name: v for k, v in fields.items()}
        try:
            async with self._session.post(self._url + path, json=body, headers=sent) as said:
                told = await said.json(content_type=None)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise AppError(reason_pb2.REASON_UNAVAILABLE, repr(error)) from error
        if said.status >= 300:
            raise AppError(_reason(said.status, told), str(told))
        return dict(told)


PATHS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "ConsumeRequest": ("/api/v1/tokens/consume", {"Idempotency-Key": "idempotency_key"}),
    "CreatePurchaseRequest": ("/api/v1/tokens/purchase", {"Idempotency-Key": "idempotency_key"}),
}
# Documented bodies that name no reason.
_BARE = {402: reason_pb2.REASON_INSUFFICIENT_QUOTA, 429: reason_pb2.REASON_RATE_LIMITED}


def _reason(status: int, told: Any) -> Any:
    named = told.get("reason") if isinstance(told, dict) else None
    if named in BY_NAME:
        return BY_NAME[named]
    return _BARE.get(status, reason_pb2.REASON_INTERNAL)


@asynccontextmanager
async def doors(targets: list[str], edge: str) -> AsyncIterator[list[Door]]:
    """All ways, the edge last."""
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    grpcs = [GrpcDoor(target) for target in targets]
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield [*grpcs, RestDoor(edge, session)]
    for one in grpcs:
        await one.close()


def known(error: AppError) -> Outcome:
    """What an error says of whether it was done."""
    return Outcome.UNKNOWN if error.reason in UNSURE else Outcome.REFUSED


async def insist(
    ask: Callable[[int], Any], tries: int, *, pause: float = 0.1
) -> tuple[Outcome, Mapping[str, Any], str]:
    """Asks again while nobody knows; what is known in the end, the answer, and why not."""
    why = ""
    for attempt in range(tries):
        try:
            return Outcome.DONE, await ask(attempt), why
        except AppError as error:
            why = error.outcome.name
            if known(error) is Outcome.REFUSED:
                return Outcome.REFUSED, {}, why
        await asyncio.sleep(pause * (attempt + 1))
    return Outcome.UNKNOWN, {}, why
