import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svc_stubs.domain.payment import (
    ConflictError,
    DeclinedError,
    Payment,
    State,
    UnknownPaymentError,
    authorize,
    capture,
    void,
)


def held(current: Payment | None = None, *, tokens: int = 5, decline: bool = False) -> Payment:
    return authorize(current, payment_id="p", tokens=tokens, now_us=1, decline=decline)


def test_each_step_again_is_the_same_payment() -> None:
    first = held()
    assert held(first) is first
    taken = capture(first, now_us=2)
    assert taken.state is State.CAPTURED
    assert capture(taken, now_us=3) is taken
    assert held(taken) is taken
    gone = void(first, payment_id="p", now_us=2)
    assert void(gone, payment_id="p", now_us=3) is gone


def test_other_tokens_under_the_same_id_conflict() -> None:
    with pytest.raises(ConflictError):
        held(held(), tokens=6)


def test_what_is_voided_is_neither_captured_nor_authorised() -> None:
    gone = void(held(), payment_id="p", now_us=2)
    with pytest.raises(ConflictError):
        capture(gone, now_us=3)
    with pytest.raises(DeclinedError):
        held(gone)


def test_what_is_captured_is_not_voided() -> None:
    with pytest.raises(ConflictError):
        void(capture(held(), now_us=2), payment_id="p", now_us=3)


def test_a_void_that_overtakes_its_authorisation_wins() -> None:
    with pytest.raises(DeclinedError):
        held(void(None, payment_id="p", now_us=1), tokens=123)


def test_what_the_books_do_not_have_is_not_captured() -> None:
    with pytest.raises(UnknownPaymentError):
        capture(None, now_us=1)


def test_declining_refuses_new_payments_only() -> None:
    with pytest.raises(DeclinedError):
        held(decline=True)
    first = held()
    assert held(first, decline=True) is first


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("acv"), st.integers(1, 2)), max_size=12))
def test_money_is_never_both_taken_and_let_go(steps: list[tuple[str, int]]) -> None:
    payment: Payment | None = None
    states: list[State] = []
    for now, (step, tokens) in enumerate(steps):
        before = payment
        try:
            if step == "a":
                payment = held(payment, tokens=tokens)
            elif step == "c":
                payment = capture(payment, now_us=now)
            else:
                payment = void(payment, payment_id="p", now_us=now)
        except (ConflictError, DeclinedError, UnknownPaymentError):
            assert payment is before
        if payment and (not states or states[-1] is not payment.state):
            states.append(payment.state)
        if before and payment:
            assert payment.tokens == before.tokens
    assert states in (
        [],
        [State.AUTHORIZED],
        [State.AUTHORIZED, State.CAPTURED],
        [State.AUTHORIZED, State.VOIDED],
        [State.VOIDED],
    )
