"""What is around svc_token; each keeps books of its own, to compare the tables with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from leaky.auth.v1.credential_service_pb2 import GetUserRolesResponse
from leaky.common.v1.reason_pb2 import (
    REASON_PAYMENT_CONFLICT,
    REASON_PAYMENT_DECLINED,
    REASON_PAYMENT_NOT_FOUND,
    REASON_PROVIDER_CALL_FAILED,
)
from leaky.provider.v1 import payment_service_pb2 as payment
from mesh.errors import AppError
from mesh.rpc.method import Method
from svc_token.domain.bucket import BucketRule, Decision, Taken
from svc_token.ports import Buckets
from tests.simulation.loop import Process
from tests.simulation.network import Network

Handler = Callable[[Any], Awaitable[Any]]


@dataclass(slots=True)
class Line:
    """A channel to a process; `answer` is what it does with a request, by the rpc's name."""

    network: Network
    process: Process
    answer: Mapping[str, Handler]

    async def unary(
        self,
        method: Method[Any, Any],
        request: Any,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 as a channel
        metadata: Mapping[str, str] | None = None,  # noqa: ARG002 nobody looks at it
    ) -> Any:
        """The answer, or LostError; now and then the request arrives twice."""

        async def handler() -> Any:
            return await self.answer[method.name](request)

        name = f"{self.process.name} {method.name}"
        if method.idempotent and self.network.chance(self.network.faults.duplicate):
            self.network.trace("twice", name)
            again = self.network.call(self.process, name, handler, timeout=timeout)
            twin = asyncio.ensure_future(again)
            twin.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await self.network.call(self.process, name, handler, timeout=timeout)

    def stream(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        """There is none."""
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing to end."""


@dataclass(slots=True)
class Provider:
    """Answers, and remembers for which prompt it did so, and under which id."""

    network: Network
    process: Process = field(default_factory=lambda: Process("provider"))
    answered: list[tuple[str, str]] = field(default_factory=list)

    async def complete(
        self, provider: str, *, prompt: str | None, tokens: int, request_id: str
    ) -> bytes:
        """Its JSON. Raises PROVIDER_CALL_FAILED, also when the answer got lost."""

        async def handler() -> bytes:
            if self.network.chance(self.network.faults.unanswered):
                raise AppError(REASON_PROVIDER_CALL_FAILED, "provider call failed")
            self.answered.append((prompt or "", request_id))
            return f'{{"provider":"{provider}","tokens":{tokens}}}'.encode()

        try:
            return await self.network.call(self.process, "provider", handler, timeout=3.0)
        except AppError as error:
            raise AppError(REASON_PROVIDER_CALL_FAILED, "provider call failed") from error

    async def close(self) -> None:
        """Nothing to end."""


@dataclass(slots=True)
class Bank:
    """Payments by their ids: what was held, what was taken, in tokens' worth."""

    network: Network
    process: Process = field(default_factory=lambda: Process("bank"))
    state: dict[str, str] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)

    def line(self) -> Line:
        """The way to it."""
        answers: dict[str, Handler] = {
            "AuthorizePayment": self.authorize,
            "CapturePayment": self.capture,
            "VoidPayment": self.void,
        }
        return Line(self.network, self.process, answers)

    async def authorize(self, request: Any) -> Any:
        """Holds the money, once; a declined payment is declined for good."""
        if request.id not in self.state:
            declined = self.network.chance(self.network.faults.declined)
            self.state[request.id] = "declined" if declined else "held"
            self.held[request.id] = 0 if declined else request.tokens
        if self.state[request.id] == "declined":
            raise AppError(REASON_PAYMENT_DECLINED, "payment declined")
        if self.state[request.id] == "voided":
            raise AppError(REASON_PAYMENT_DECLINED, "payment voided")
        return payment.AuthorizePaymentResponse()

    async def capture(self, request: Any) -> Any:
        """Takes the money held, once."""
        state = self.state.get(request.id)
        if state is None:
            raise AppError(REASON_PAYMENT_NOT_FOUND, "no such payment")
        if state not in {"held", "captured"}:
            raise AppError(REASON_PAYMENT_CONFLICT, f"the payment is {state}")
        self.state[request.id] = "captured"
        self.taken[request.id] = self.taken.get(request.id, 0) + self.held[request.id]
        self.held[request.id] = 0
        return payment.CapturePaymentResponse()

    async def void(self, request: Any) -> Any:
        """Lets go of the money, also of a payment never seen."""
        if self.state.get(request.id) == "captured":
            raise AppError(REASON_PAYMENT_CONFLICT, "the payment is captured")
        self.state[request.id] = "voided"
        self.held[request.id] = 0
        return payment.VoidPaymentResponse()


@dataclass(frozen=True, slots=True)
class Grant:
    """Tokens that a bucket gave at a moment, or, when negative, took back."""

    key: str
    tokens: int
    at_us: int
    rule: BucketRule


@dataclass(slots=True)
class SharedBuckets:
    """Buckets that all instances ask over the network, as on Redis; their grants are kept."""

    inner: Buckets
    network: Network
    now_us: Callable[[], int]
    process: Process = field(default_factory=lambda: Process("buckets"))
    grants: list[Grant] = field(default_factory=list)

    async def take(self, key: str, cost: int, rule: BucketRule) -> Decision:
        """Decided there in one step."""

        async def handler() -> Decision:
            decision = await self.inner.take(key, cost, rule)
            if decision.allowed:
                self.grants.append(Grant(key, cost, decision.at_us, rule))
            return decision

        return await self.network.call(self.process, "take", handler, timeout=1.0)

    async def refund(self, key: str, cost: int, rule: BucketRule, *, taken: Taken) -> None:
        """Put back there in one step."""

        async def handler() -> None:
            await self.inner.refund(key, cost, rule, taken=taken)
            self.grants.append(Grant(key, -cost, self.now_us(), rule))

        await self.network.call(self.process, "refund", handler, timeout=1.0)

    async def peek(self, key: str, rule: BucketRule) -> Decision:
        """As it stands there."""

        async def handler() -> Decision:
            return await self.inner.peek(key, rule)

        return await self.network.call(self.process, "peek", handler, timeout=1.0)


def roles_line(network: Network) -> Line:
    """svc_auth, where everybody is a USER."""

    async def roles(_request: Any) -> Any:
        return GetUserRolesResponse(roles=["USER"])

    return Line(network, Process("auth"), {"GetUserRoles": roles})
