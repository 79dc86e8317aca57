"""What is kept of a spend says the same when it is read again."""

from hypothesis import given
from hypothesis import strategies as st

from svc_token.domain.bucket import Decision
from svc_token.domain.spent import Spent

NUMBERS = st.integers(min_value=0, max_value=2**62)


@given(at_us=NUMBERS, capacity=NUMBERS, used=NUMBERS, remaining=NUMBERS, answer=st.binary())
def test_a_spend_is_read_as_it_was_kept_byte_for_byte(
    at_us: int, capacity: int, used: int, remaining: int, answer: bytes
) -> None:
    decision = Decision(
        at_us=at_us, allowed=True, capacity=capacity, used=used, remaining=remaining, wait_us=0
    )
    spent = Spent(decision=decision, answer=answer, at_us=at_us)
    assert Spent.of(spent.kept()) == spent
    assert Spent.of(spent.kept()).kept() == spent.kept()
