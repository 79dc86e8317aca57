"""Callers who send again what is safe to send again, until they know what came of it."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import aiohttp

from bench.callers import PROVIDER, TOKENS, Caller
from bench.plan import FRESH, Request
from bench.strain.told import BUSY, CONFLICT, IN_FLIGHT, LATE, LOST, Piece, Told, Try, Way
from tests.faults.history import Kind, Op, Outcome

# Longer than a process takes to come back, and than a key is its first asker's alone.
PATIENCE_SECONDS = 90.0
# Longer than any deadline of the system's own.
_ANSWER_SECONDS = 15.0
_PAUSE_SECONDS = 0.1
# Readers look on; the load is the others.
_READ_SECONDS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """`again` when it may have been done or not, and is safe to send again after `wait` seconds."""

    status: int
    reason: str = ""
    wait: float = _PAUSE_SECONDS

    @property
    def again(self) -> bool:
        waits = self.status == CONFLICT and self.reason == IN_FLIGHT
        return waits or self.status in {LOST, BUSY, LATE}


@dataclass(slots=True, kw_only=True)
class Insisting:
    """Callers of the edge at `url`; all that they are told is in `told`.

    They give an operation up after `patience` seconds.
    """

    url: str
    session: aiohttp.ClientSession
    told: Told = field(default_factory=Told)
    patience: float = PATIENCE_SECONDS
    in_flight: int = 0
    _turns: int = 0

    async def spend(
        self,
        caller: Caller,
        turns: Iterator[int],
        finished: Callable[[int], None] = lambda _turns: None,
    ) -> None:
        """In turn a consume under a key of its own, and a reservation that is then settled.

        `finished` hears how many turns of all callers have come to their end.
        """
        for turn in turns:
            if turn % 2:
                await self._consume(caller)
            else:
                await self._reserve(caller)
            self._turns += 1
            finished(self._turns)

    async def read(self, caller: Caller, stop: asyncio.Event) -> None:
        """Asks for the caller's pool, once each time, until it is told to stop."""
        while not stop.is_set():
            await self._ask(Way.READ, caller.quota())
            await asyncio.sleep(_READ_SECONDS)

    async def _consume(self, caller: Caller) -> None:
        plain = caller.consume(PROVIDER)
        keyed = replace(plain, headers={**plain.headers, "Idempotency-Key": FRESH})
        await self._insist(Kind.CONSUME, caller, keyed, str(uuid.uuid4()))

    async def _reserve(self, caller: Caller) -> None:
        reserve, ref = caller.reserve(PROVIDER), str(uuid.uuid4())
        outcome = await self._insist(Kind.RESERVE, caller, reserve, ref)
        if outcome is Outcome.DONE and reserve.then:
            await self._insist(Kind.SETTLE, caller, reserve.then, ref)

    async def _insist(self, kind: Kind, caller: Caller, request: Request, ref: str) -> Outcome:
        """The same request with the same id each time."""
        request, began, sent = _with(request, ref), time.perf_counter(), 0
        while True:
            self.in_flight += 1
            answer = await self._ask(Way.WRITE, request)
            self.in_flight -= 1
            sent += 1
            seconds = time.perf_counter() - began
            if not answer.again or seconds > self.patience:
                break
            await asyncio.sleep(answer.wait)
        outcome = _outcome(answer, request)
        why = "" if outcome is Outcome.DONE else f"{answer.status} {answer.reason}".strip()
        op = Op(
            kind=kind,
            user_id=caller.user_id,
            tokens=TOKENS,
            ref=ref,
            outcome=outcome,
            why=why,
            keyed=True,
        )
        self.told.pieces.append(Piece(op=op, sent=sent, seconds=seconds))
        return outcome

    async def _ask(self, way: Way, request: Request) -> _Answer:
        began = time.perf_counter()
        answer = await self._answer(request)
        self.told.tries.append(
            Try(
                way=way,
                began=began,
                ended=time.perf_counter(),
                status=answer.status,
                sound=answer.status == request.status,
            )
        )
        return answer

    async def _answer(self, request: Request) -> _Answer:
        try:
            async with self.session.request(
                request.method,
                self.url + request.path,
                data=request.body or None,
                headers=request.headers,
                timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS),
            ) as said:
                body = await said.json(content_type=None)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return _Answer(status=LOST)
        reason = body.get("reason") if isinstance(body, dict) else None
        wait = float(said.headers.get("Retry-After", _PAUSE_SECONDS))
        return _Answer(status=said.status, reason=str(reason or ""), wait=wait)


def _outcome(answer: _Answer, request: Request) -> Outcome:
    if answer.status == request.status:
        return Outcome.DONE
    return Outcome.UNKNOWN if answer.again else Outcome.REFUSED


def _with(request: Request, id_: str) -> Request:
    """The request, with an id wherever it wants one."""
    headers = {name: text.replace(FRESH, id_) for name, text in request.headers.items()}
    path, body = request.path.replace(FRESH, id_), request.body.replace(FRESH, id_)
    return replace(request, path=path, headers=headers, body=body)
