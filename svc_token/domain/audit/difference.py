"""Two records that should say the same and do not."""

from dataclasses import dataclass
from enum import StrEnum

from svc_token.domain.operations import Emit, Release


class Mismatch(StrEnum):
    """What does not agree; the words are stable."""

    LEDGER_GAP = "ledger-gap"
    BALANCE = "balance"
    HELD = "held"
    POOL_MISSING = "pool-missing"
    RESERVATION_MISSING = "reservation-missing"
    RESERVATION_LINES = "reservation-lines"
    RESERVATION_TOKENS = "reservation-tokens"
    ORPHAN = "orphan"
    PURCHASE_MISSING = "purchase-missing"
    PURCHASE_UNKNOWN = "purchase-unknown"
    PURCHASE_TOKENS = "purchase-tokens"
    MEMBER_CAP = "member-cap"
    EVENT_MISSING = "event-missing"
    EVENT_DIFFERS = "event-differs"
    EVENT_UNKNOWN = "event-unknown"
    PAYMENT_MISSING = "payment-missing"
    PAYMENT_UNKNOWN = "payment-unknown"
    PAYMENT_TOKENS = "payment-tokens"


_BY_HAND = "nothing is changed by itself; compare with a backup and correct it by hand"
_ADVICE = {
    Mismatch.LEDGER_GAP: f"lines were removed or written by somebody else; {_BY_HAND}",
    Mismatch.BALANCE: f"the pool was written past the ledger; {_BY_HAND}",
    Mismatch.HELD: "see the differences of its reservations",
    Mismatch.POOL_MISSING: f"the pool's row is gone; {_BY_HAND}",
    Mismatch.RESERVATION_MISSING: f"the reservation's row is gone; {_BY_HAND}",
    Mismatch.RESERVATION_LINES: f"the reservation and its lines tell two stories; {_BY_HAND}",
    Mismatch.RESERVATION_TOKENS: f"the ledger's tokens are those that count; {_BY_HAND}",
    Mismatch.ORPHAN: "--repair frees it; look why no sweeper does (is svc_token running?)",
    Mismatch.PURCHASE_MISSING: f"paid for and not in the pool; {_BY_HAND}",
    Mismatch.PURCHASE_UNKNOWN: f"tokens without a purchase; {_BY_HAND}",
    Mismatch.PURCHASE_TOKENS: f"the purchase and its line differ; {_BY_HAND}",
    Mismatch.MEMBER_CAP: "it is right again in the next window; until then set the cap anew",
    Mismatch.EVENT_MISSING: "--repair sends it again under the same id",
    Mismatch.EVENT_DIFFERS: "the ledger is right; correct the event by hand",
    Mismatch.EVENT_UNKNOWN: "the ledger is right; find out who sent the event",
    Mismatch.PAYMENT_MISSING: "tokens were given; ask the payment provider for the money",
    Mismatch.PAYMENT_UNKNOWN: "money was taken for nothing; refund it",
    Mismatch.PAYMENT_TOKENS: "settle the rest with the payment provider",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """`repair` is what mends it; None where that is for a human to decide."""

    kind: Mismatch
    subject: str
    expected: str
    found: str
    repair: Release | Emit | None = None

    @property
    def advice(self) -> str:
        """What to do about it."""
        return _ADVICE[self.kind]
