"""The rules of the payment provider's books: every step may be repeated."""

from dataclasses import dataclass, replace
from enum import StrEnum


class State(StrEnum):
    """Where a payment stands."""

    AUTHORIZED = "AUTHORIZED"
    CAPTURED = "CAPTURED"
    VOIDED = "VOIDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A line in the books; 0 tokens when it was voided before it was authorised."""

    id: str
    tokens: int
    state: State
    updated_at_us: int


class DeclinedError(Exception):
    """The money is not given."""


class ConflictError(Exception):
    """The payment's state or amount does not allow this."""


class UnknownPaymentError(Exception):
    """The books have no such payment."""


def authorize(
    current: Payment | None, *, payment_id: str, tokens: int, now_us: int, decline: bool
) -> Payment:
    """The held payment, or the one that there is. Raises ConflictError, DeclinedError.

    `decline` refuses new payments; a refusal leaves nothing in the books.
    """
    if current is None:
        if decline:
            raise DeclinedError
        return Payment(id=payment_id, tokens=tokens, state=State.AUTHORIZED, updated_at_us=now_us)
    if current.tokens not in {0, tokens}:
        raise ConflictError("authorised before for another number of tokens")
    if current.state is State.VOIDED:
        raise DeclinedError
    return current


def capture(current: Payment | None, *, now_us: int) -> Payment:
    """The payment with its money taken. Raises UnknownPaymentError, ConflictError."""
    if current is None:
        raise UnknownPaymentError
    if current.state is State.VOIDED:
        raise ConflictError("the payment is voided")
    return _moved(current, State.CAPTURED, now_us)


def void(current: Payment | None, *, payment_id: str, now_us: int) -> Payment:
    """The payment without its hold. Raises ConflictError when the money is taken.

    An id never seen is recorded, so that an authorisation on its way is refused.
    """
    if current is None:
        return Payment(id=payment_id, tokens=0, state=State.VOIDED, updated_at_us=now_us)
    if current.state is State.CAPTURED:
        raise ConflictError("the payment is captured")
    return _moved(current, State.VOIDED, now_us)


def _moved(current: Payment, state: State, now_us: int) -> Payment:
    if current.state is state:
        return current
    return replace(current, state=state, updated_at_us=now_us)
