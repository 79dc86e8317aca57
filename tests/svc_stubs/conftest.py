"""A clock that stands still, ids that count, and fault switches at hand."""

from dataclasses import dataclass, field

import pytest

from svc_stubs.ports import PaymentTrouble, Trouble

NOW_US = 1_700_000_000_123_456


@dataclass
class StillClock:
    now: int = NOW_US

    def now_us(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1_000_000


@dataclass
class CountedIds:
    given: int = 0

    def new(self) -> str:
        self.given += 1
        return f"00000000-0000-4000-8000-{self.given:012d}"


@dataclass
class Switches:
    trouble: Trouble = field(default_factory=Trouble)
    payments: PaymentTrouble = field(default_factory=PaymentTrouble)

    def of(self, _provider: str) -> Trouble:
        return self.trouble

    def of_payments(self) -> PaymentTrouble:
        return self.payments


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def ids() -> CountedIds:
    return CountedIds()


@pytest.fixture
def switches() -> Switches:
    return Switches()
