from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.resilience.retry_budget import RetryBudget


def test_five_failures_in_a_row_stop_retries() -> None:
    budget = RetryBudget()
    allowed = []
    for _ in range(6):
        budget.record_failure()
        allowed.append(budget.allows_retry())
    assert allowed == [True, True, True, True, False, False]


def test_ten_successes_pay_for_one_failure() -> None:
    budget = RetryBudget()
    for _ in range(5):
        budget.record_failure()
    assert not budget.allows_retry()
    budget.record_success()
    assert budget.allows_retry()
    for _ in range(9):
        budget.record_success()
    assert budget.tokens == 6


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=300))
def test_equals_exact_arithmetic(results: list[bool]) -> None:
    budget, tokens = RetryBudget(), Fraction(10)
    for success in results:
        if success:
            budget.record_success()
            tokens = min(Fraction(10), tokens + Fraction(1, 10))
        else:
            budget.record_failure()
            tokens = max(Fraction(0), tokens - 1)
        assert budget.allows_retry() == (tokens > 5)
        assert budget.tokens == float(tokens)


@settings(deadline=None)
@given(st.integers(1, 10), st.integers(0, 400))
def test_retries_of_a_dead_target_stay_few(retries: int, calls: int) -> None:
    budget, sent = RetryBudget(), 0
    for _ in range(calls):
        for _ in range(1 + retries):
            sent += 1
            budget.record_failure()
            if not budget.allows_retry():
                break
    assert sent <= calls + 4
