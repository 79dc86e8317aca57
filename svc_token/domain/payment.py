"""A line in the payment provider's books, as we read it."""

from dataclasses import dataclass
from enum import StrEnum


class PaymentState(StrEnum):
    """Where a payment stands; CAPTURED and VOIDED are final."""

    AUTHORIZED = "AUTHORIZED"
    CAPTURED = "CAPTURED"
    VOIDED = "VOIDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A payment; its id is the purchase's. 0 tokens when it was voided before it was held."""

    id: str
    tokens: int
    state: PaymentState
    updated_us: int
