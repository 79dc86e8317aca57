"""What the doubles of the AI providers say."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from leaky.common.v1.reason_pb2 import (
    REASON_MALFORMED_JSON,
    REASON_PROVIDER_CALL_FAILED,
    REASON_PROVIDER_NOT_FOUND,
)
from mesh.clock import Clock, Ids
from mesh.errors import AppError, invalid
from svc_stubs.domain.chat import STUBS, Said, common_fields, prompt_in
from svc_stubs.ports import Faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """Answers {"prompt": ...} or the provider's own request with the common fields."""

    faults: Faults
    clock: Clock
    ids: Ids

    async def __call__(self, provider: str, body: bytes) -> bytes:
        """The answer, JSON. Raises PROVIDER_NOT_FOUND, MALFORMED_JSON, INVALID_ARGUMENT.

        Misbehaves as the fault switches say, a status being PROVIDER_CALL_FAILED.
        """
        stub = STUBS.get(provider)
        if stub is None:
            raise AppError(REASON_PROVIDER_NOT_FOUND, "provider not found")
        prompt = prompt_in(stub, _object(body))
        if prompt is None:
            raise invalid("body", "must hold a prompt, or the provider's own request")
        await self._suffer(provider)
        said = _said(self.clock, self.ids, provider, prompt, stub.model)
        return orjson.dumps(common_fields(said))

    async def _suffer(self, provider: str) -> None:
        trouble = self.faults.of(provider)
        if trouble.delay:
            await asyncio.sleep(trouble.delay)
        if trouble.hang:
            await asyncio.Event().wait()
        if trouble.status:
            raise AppError(REASON_PROVIDER_CALL_FAILED, "provider call failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete:
    """Answers the provider's own request in its own shape, with the common fields beside it."""

    clock: Clock
    ids: Ids

    def __call__(self, provider: str, body: bytes, model: str = "") -> bytes:
        """The answer, JSON; never waits. Raises MALFORMED_JSON, INVALID_ARGUMENT.

        `model` is the one that the path names.
        """
        stub, request = STUBS[provider], _object(body)
        prompt = stub.prompt(request)
        if prompt is None:
            raise invalid("body", "is not a request of this provider's API")
        named = request.get("model")
        model = model or (named if isinstance(named, str) else stub.model)
        said = _said(self.clock, self.ids, provider, prompt, model)
        return orjson.dumps(stub.answer(said) | common_fields(said))


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        # Its text quotes the body.
        raise AppError(REASON_MALFORMED_JSON, "the body is not JSON") from None
    if not isinstance(parsed, dict):
        raise invalid("body", "must be a JSON object")
    return parsed


def _said(clock: Clock, ids: Ids, provider: str, prompt: str, model: str) -> Said:
    return Said(
        id=ids.new(),
        at_us=clock.now_us(),
        provider=provider,
        model=model,
        prompt=prompt,
        message=STUBS[provider].message,
    )
