"""What the use cases need from outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from svc_stubs.domain.payment import Payment, State


class Books(Protocol):
    """The payment provider's books; each verb is one transaction.

    Refusals are the domain's ConflictError, DeclinedError and UnknownPaymentError.
    """

    async def authorize(
        self, payment_id: str, tokens: int, *, now_us: int, decline: bool
    ) -> Payment:
        """Holds the money."""
        ...

    async def capture(self, payment_id: str, *, now_us: int) -> Payment:
        """Takes the money held."""
        ...

    async def void(self, payment_id: str, *, now_us: int) -> Payment:
        """Lets go of the money held."""
        ...

    async def find(self, payment_id: str) -> Payment:
        """Where the payment stands."""
        ...

    async def page(self, after: str, limit: int, state: State | None) -> Sequence[Payment]:
        """Payments in the order of ids, from `after` on, exclusive; all states when None."""
        ...

    async def ping(self) -> None:
        """Raises AppError when the books cannot be read."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """How a provider's double misbehaves: waits `delay` seconds, hangs, fails with `status`."""

    delay: float = 0.0
    status: int = 0
    hang: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentTrouble:
    """How the payment double misbehaves; `fail`, `lose_answer` and `answer_twice` of 100 calls.

    New payments are declined; an answer comes `delay` seconds after what it tells
    of; a call fails with nothing done; it is done and the answer is lost; it
    arrives a second time, at once.
    """

    decline: bool = False
    delay: float = 0.0
    fail: int = 0
    lose_answer: int = 0
    answer_twice: int = 0


class Faults(Protocol):
    """The fault switches, as they stand now."""

    def of(self, provider: str) -> Trouble:
        """A provider's double's trouble."""
        ...

    def of_payments(self) -> PaymentTrouble:
        """The payment double's trouble."""
        ...
