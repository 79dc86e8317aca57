"""Bringing an effect about once under a client's key, and answering with what came of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from leaky.common.v1 import reason_pb2
from mesh.clock import Clock, Ids
from mesh.errors import AppError
from mesh.failpoints import failpoint
from mesh.finisher import Finisher
from mesh.resilience.backoff import Backoff
from svc_token.domain.idempotency import Answer, Claim, ClaimLostError, Key
from svc_token.ports import IdempotencyKeys, Limits
from svc_token.usecases.insist import deadline_of_call, insist

# What a call that waits keeps back of its time, to say that it has waited in vain.
MARGIN_SECONDS = 0.2
BACKOFF = Backoff(first=0.02, cap=0.25)
_CLAIMING = failpoint("idempotency.claim.before")
_CLAIMED = failpoint("idempotency.claim.after")
_ANSWERED = failpoint("idempotency.answered")


@dataclass(slots=True, kw_only=True)
class Turn:
    """Leave to bring about the effect of a key, whose id is the claim's.

    Others may take over when its lease has ended. They have the same id, so
    what the effect does under it happens once, and `answer` is kept with it.
    """

    claim: Claim
    keys: IdempotencyKeys
    # Set once something has happened that must not be had again for the asking.
    bound: bool = False
    _gone: bool | None = None

    @property
    def id(self) -> str:
        """The effect's id."""
        return self.claim.id

    def answer(self, body: bytes) -> Answer:
        """To be kept in the same transaction as the effect, which raises ClaimLostError."""
        return Answer(key=self.claim.key, id=self.claim.id, body=body)

    async def let_go(self) -> bool:
        """Gives the key up, for nothing came of it; False when it is another's by now.

        Only after a True may be freed what the id names. Asks again when an answer
        is missing. Raises AppError when the store is away for longer than the call
        has time.
        """
        if self._gone is None:
            self._gone = await insist(lambda: self.keys.drop(self.claim))
        return self._gone


# The answer's bytes, once they are kept; what it raises says that nothing
# happened, unless the turn is `bound`. ClaimLostError begins anew.
Effect = Callable[[Turn], Awaitable[bytes]]


@dataclass(slots=True, kw_only=True)
class _Flight:
    """A request under way in this process; None when it ran out of time before its turn."""

    fingerprint: bytes
    landed: "asyncio.Future[bytes | None]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """Of all requests with a key one brings the effect about, the others get its answer.

    In one process they wait for it, and share a refusal too; a refusal frees
    the key. Where another process is at it they ask the store now and then.
    """

    keys: IdempotencyKeys
    limits: Limits
    clock: Clock
    ids: Ids
    finisher: Finisher
    _flights: dict[Key, _Flight] = field(default_factory=dict)

    async def __call__(self, key: Key, fingerprint: bytes, effect: Effect) -> bytes:
        """The answer that is kept under the key, byte for byte the first one.

        Raises AppError IDEMPOTENCY_KEY_REUSED for another request,
        IDEMPOTENCY_KEY_IN_FLIGHT when the call's time ends before the first
        request does, and what the effect raises.
        """
        deadline = deadline_of_call() - MARGIN_SECONDS
        while True:
            flight = self._flights.get(key)
            if flight is None:
                body = await self._lead(key, fingerprint, effect, deadline)
            elif flight.fingerprint != fingerprint:
                raise _reused()
            else:
                body = await _landing(flight, deadline)
            if body is not None:
                return body
            if asyncio.get_running_loop().time() >= deadline:
                raise _in_flight()

    async def _lead(
        self, key: Key, fingerprint: bytes, effect: Effect, deadline: float
    ) -> bytes | None:
        landed: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        flight = self._flights[key] = _Flight(fingerprint=fingerprint, landed=landed)
        # To its end, also when the caller goes away: others wait for it.
        return await self.finisher.finish(self._fly(key, flight, effect, deadline))

    async def _fly(
        self, key: Key, flight: _Flight, effect: Effect, deadline: float
    ) -> bytes | None:
        body: bytes | None = None
        try:
            body = await self._bring_about(key, flight.fingerprint, effect, deadline)
        except Exception as error:
            flight.landed.set_exception(error)
            flight.landed.exception()  # seen, also when nobody waits
            raise
        finally:
            del self._flights[key]
            if not flight.landed.done():
                flight.landed.set_result(body)
        return body

    async def _bring_about(
        self, key: Key, fingerprint: bytes, effect: Effect, deadline: float
    ) -> bytes | None:
        """The answer; None when time is up and somebody else is still at it."""
        attempt = 0
        while True:
            claim = await self._claim(key, fingerprint)
            if claim.fingerprint != fingerprint:
                raise _reused()
            body = await self._taken(claim, effect) if claim.mine else claim.answer
            if body is not None:
                return body
            attempt += 1
            wait = BACKOFF.delay(attempt)
            if asyncio.get_running_loop().time() + wait >= deadline:
                return None
            await asyncio.sleep(wait)

    async def _claim(self, key: Key, fingerprint: bytes) -> Claim:
        now = self.clock.now_us()
        until = now + self.limits.claim_us
        id_ = self.ids.new()
        _CLAIMING()
        claim = await self.keys.claim(key, fingerprint, id_=id_, now_us=now, lease_until_us=until)
        _CLAIMED()
        return claim

    async def _taken(self, claim: Claim, effect: Effect) -> bytes | None:
        turn = Turn(claim=claim, keys=self.keys)
        try:
            body = await effect(turn)
        except ClaimLostError:
            await turn.let_go()
            return None
        except Exception:
            # Whose key is not its own any more tells what came of the other's.
            if turn.bound or await turn.let_go():
                raise
            return None
        _ANSWERED()
        return body


async def _landing(flight: _Flight, deadline: float) -> bytes | None:
    try:
        async with asyncio.timeout_at(deadline) as bound:
            return await asyncio.shield(flight.landed)
    except TimeoutError:
        if not bound.expired():
            raise
        raise _in_flight() from None


def _reused() -> AppError:
    return AppError(
        reason_pb2.REASON_IDEMPOTENCY_KEY_REUSED,
        "the Idempotency-Key was used with another request",
    )


def _in_flight() -> AppError:
    return AppError(
        reason_pb2.REASON_IDEMPOTENCY_KEY_IN_FLIGHT,
        "the first request with this Idempotency-Key is still under way",
        retry_after=1,
    )
