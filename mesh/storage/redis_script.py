"""A Lua script on Redis, each call of which is one step there."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from opentelemetry.trace import SpanKind
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from mesh.storage.group_commit import GroupCommit
from mesh.storage.redis import RedisReach, open_redis
from mesh.telemetry.tracing.spans import spanning

Argument = str | int
_Call = tuple[str, Sequence[Argument]]


class RedisScript:
    """One script with one key.

    Calls that are made while others are on their way travel together next, in
    one pipeline: a quarter of the CPU a call that one round trip each takes, at
    64 callers. A call whose answer was lost may have been done; none is repeated.
    """

    def __init__(self, client: "Redis", source: str, reach: RedisReach) -> None:
        self._client = client
        self._source = source
        # Redis' own name for it, no signature.
        self._sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
        self._reach = reach
        self._attributes = {
            "db.system.name": "redis",
            "db.operation.name": "EVALSHA",
            "leaky.store": reach.store,
        }
        self._calls: GroupCommit[_Call, Any] = GroupCommit(self._run)

    async def __call__(self, key: str, *arguments: Argument) -> Any:
        """The script's answer. Raises AppError UNAVAILABLE, or OVERLOADED when too many wait."""
        return await self._calls.submit((key, arguments))

    async def close(self) -> None:
        """Returns when no call is on its way."""
        await self._calls.close()

    async def _run(self, calls: Sequence[_Call]) -> Sequence[Any]:
        with spanning("EVALSHA", SpanKind.CLIENT, self._attributes):
            answers = await self._answers(calls)
        return self._told(answers)

    async def _answers(self, calls: Sequence[_Call]) -> list[Any]:
        async with self._reach.reaching():
            answers = await self._send(calls)
            unknown = [at for at, one in enumerate(answers) if isinstance(one, NoScriptError)]
            if unknown:
                # Redis has been started since; what it does not know it has not run.
                await self._client.script_load(self._source)
                again = await self._send([calls[at] for at in unknown])
                for at, answer in zip(unknown, again, strict=True):
                    answers[at] = answer
            return answers

    async def _send(self, calls: Sequence[_Call]) -> list[Any]:
        if len(calls) == 1:
            return [await self._send_alone(*calls[0])]
        pipeline = self._client.pipeline(transaction=False)
        for key, arguments in calls:
            pipeline.execute_command("EVALSHA", self._sha, 1, key, *arguments)
        return await pipeline.execute(raise_on_error=False)

    async def _send_alone(self, key: str, arguments: Sequence[Argument]) -> Any:
        # A pipeline of one costs half as much again.
        command: Any = self._client.execute_command
        try:
            return await command("EVALSHA", self._sha, 1, key, *arguments)
        except ResponseError as error:
            return error

    def _told(self, answers: Sequence[Any]) -> Sequence[Any]:
        """The answers, with AppError for what Redis refused: read-only, out of memory."""
        if not any(isinstance(answer, RedisError) for answer in answers):
            self._reach.answered()
            return answers
        return [
            self._reach.refused(answer) if isinstance(answer, RedisError) else answer
            for answer in answers
        ]


@asynccontextmanager
async def open_script(url: str, source: str, *, store: str) -> AsyncIterator[RedisScript]:
    """The script on the Redis behind an URL; `store` as in RedisReach."""
    async with open_redis(url) as client:
        script = RedisScript(client, source, RedisReach(store))
        try:
            yield script
        finally:
            await script.close()
