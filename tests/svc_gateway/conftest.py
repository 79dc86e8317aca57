"""A clock that is set by hand."""

from dataclasses import dataclass

import pytest

NOW_US = 1_700_000_000_123_456


@dataclass
class HandClock:
    now: int = NOW_US

    def now_us(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1_000_000


@pytest.fixture
def clock() -> HandClock:
    return HandClock()
