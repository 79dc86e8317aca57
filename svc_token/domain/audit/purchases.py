"""A purchase against its line, and against the payment provider's books."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from svc_token.domain.audit.difference import Difference, Mismatch
from svc_token.domain.entry import Entry
from svc_token.domain.saga import Saga, Status, Step

_GIVEN = {Status.TOKENS_ALLOCATED, Status.COMPLETED}


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseAudit:
    """A purchase, the lines that name it, and the first line of its pool, of one moment."""

    id: str
    saga: Saga | None
    lines: Sequence[Entry]
    opening: Entry | None = None


def purchase_differences(audit: PurchaseAudit) -> Iterator[Difference]:
    """Tokens that are not in the ledger, or are there without having been bought."""
    subject, saga = f"purchase {audit.id}", audit.saga
    if saga is None or not given(saga):
        state = "no such purchase" if saga is None else f"its state {saga.status.value}"
        for line in audit.lines:
            yield Difference(
                kind=Mismatch.PURCHASE_UNKNOWN,
                subject=subject,
                expected=f"no tokens, for there is {state}",
                found=_shown(line),
            )
        return
    expected = f"one line of {saga.tokens} tokens to {saga.pool.owner} at {saga.provider}"
    if not audit.lines:
        if not _before_the_ledger(saga, audit.opening):
            yield Difference(
                kind=Mismatch.PURCHASE_MISSING, subject=subject, expected=expected, found="none"
            )
        return
    if [_line(line) for line in audit.lines] != [(saga.pool, saga.tokens, saga.tokens)]:
        yield Difference(
            kind=Mismatch.PURCHASE_TOKENS,
            subject=subject,
            expected=expected,
            found="; ".join(map(_shown, audit.lines)),
        )


def given(saga: Saga) -> bool:
    """Whether its tokens are in the pool."""
    return saga.status in _GIVEN


def under_way(saga: Saga) -> bool:
    """Whether it has not ended yet."""
    return saga.step is not Step.NONE


def payment_difference(
    payment_id: str, saga: Saga | None, captured: int | None
) -> Difference | None:
    """The captured tokens of one payment, None for none, against the purchase of that id."""
    subject = f"payment {payment_id}"
    if saga is not None and given(saga):
        if captured == saga.tokens:
            return None
        kind = Mismatch.PAYMENT_MISSING if captured is None else Mismatch.PAYMENT_TOKENS
        expected = f"{saga.tokens} tokens captured, for they were given"
        found = "nothing captured" if captured is None else f"{captured} tokens captured"
        return Difference(kind=kind, subject=subject, expected=expected, found=found)
    if captured is None or (saga is not None and under_way(saga)):
        return None
    state = "no such purchase" if saga is None else f"it ended {saga.status.value}"
    return Difference(
        kind=Mismatch.PAYMENT_UNKNOWN,
        subject=subject,
        expected=f"nothing captured, for there is {state}"
        if saga is None
        else f"nothing captured, for {state}",
        found=f"{captured} tokens captured",
    )


def _before_the_ledger(saga: Saga, opening: Entry | None) -> bool:
    """Whether the pool's first line has it among its balances already."""
    return (
        opening is not None
        and opening.purchased >= saga.tokens
        and saga.created_us <= opening.note.at_us
    )


def _line(line: Entry) -> tuple[object, int, int]:
    return line.pool, line.note.tokens, line.purchased


def _shown(line: Entry) -> str:
    where = f"line {line.seq} of {line.pool.owner} at {line.pool.provider}"
    return f"{line.note.tokens} tokens in {where}"
