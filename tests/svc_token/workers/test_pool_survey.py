"""The survey of pools: so much a round, told when all are through."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from prometheus_client import REGISTRY

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from svc_token.domain.owner import Owner, OwnerKind, PoolKey
from svc_token.domain.survey import PoolSurvey
from svc_token.domain.window import Window
from svc_token.workers.pool_survey import PoolSurveyor
from tests.svc_token.conftest import House

pytestmark = pytest.mark.anyio


def key(number: int) -> PoolKey:
    return PoolKey(Owner(OwnerKind.USER, f"{number:036}"), "openai")


@dataclass
class Surveys:
    """Gives these stretches, one after another, over and over."""

    stretches: Sequence[PoolSurvey]
    away: bool = False
    asked: list[tuple[PoolKey | None, int, float]] = field(default_factory=list)

    async def survey(
        self, after: PoolKey | None, limit: int, *, window: Window, low_fraction: float
    ) -> PoolSurvey:
        assert window.length_us
        if self.away:
            raise AppError(REASON_UNAVAILABLE, "the database is away")
        self.asked.append((after, limit, low_fraction))
        return self.stretches[(len(self.asked) - 1) % len(self.stretches)]


def surveyor(house: House, *stretches: PoolSurvey, pages: int = 10) -> tuple[PoolSurveyor, Surveys]:
    surveys = Surveys(stretches)
    made = PoolSurveyor(
        surveys=surveys,
        limits=house.limits,
        clock=house.clock,
        low_fraction=lambda: house.settings.current.token.quota.low_fraction,
        page=100,
        pages=pages,
    )
    return made, surveys


def low(provider: str) -> float | None:
    return REGISTRY.get_sample_value("token_pools_low", {"provider": provider})


def overdrawn() -> float | None:
    return REGISTRY.get_sample_value("token_pools_overdrawn")


async def test_all_stretches_together_are_told_and_the_next_survey_begins_anew(
    house: House,
) -> None:
    survey, surveys = surveyor(
        house,
        PoolSurvey(low={"openai": 2, "qwen": 1}, last=key(1)),
        PoolSurvey(low={"openai": 1, "gone": 4}, overdrawn=1, last=key(2)),
        PoolSurvey(overdrawn=2),
        PoolSurvey(low={"openai": 1}),
    )
    assert await survey() is False
    figures = {name: low(name) for name in ("openai", "qwen", "gemini", "unknown", "gone")}
    # A provider that is not configured has no label of its own.
    assert figures == {"openai": 3, "qwen": 1, "gemini": 0, "unknown": 4, "gone": None}
    assert overdrawn() == 3
    await survey()
    assert (low("openai"), low("qwen"), low("unknown"), overdrawn()) == (1, 0, 0, 0)
    assert [after for after, _, _ in surveys.asked] == [None, key(1), key(2), None]
    assert {(limit, fraction) for _, limit, fraction in surveys.asked} == {(100, 0.1)}


async def test_a_round_reads_no_more_than_its_pages_and_the_next_goes_on(house: House) -> None:
    stretch, end = PoolSurvey(low={"openai": 1}, last=key(1)), PoolSurvey(low={"openai": 1})
    survey, surveys = surveyor(house, *[stretch] * 4, end, pages=2)
    await survey()
    assert low("openai") is not None
    told = low("openai")
    assert len(surveys.asked) == 2
    await survey()
    # Not yet through: what was told before stands.
    assert (len(surveys.asked), low("openai")) == (4, told)
    await survey()
    assert (len(surveys.asked), low("openai")) == (5, 5)


async def test_while_the_store_is_away_nothing_is_known_and_then_it_begins_anew(
    house: House,
) -> None:
    survey, surveys = surveyor(house, PoolSurvey(low={"openai": 2}, last=key(1)), pages=1)
    await survey()
    surveys.away = True
    with pytest.raises(AppError):
        await survey()
    assert math.isnan(low("openai") or 0)
    assert math.isnan(overdrawn() or 0)
    surveys.away, surveys.stretches = False, [PoolSurvey(low={"openai": 7})]
    await survey()
    assert (surveys.asked[-1][0], low("openai"), overdrawn()) == (None, 7, 0)


async def test_the_fraction_is_a_live_setting(house: House) -> None:
    survey, surveys = surveyor(house, PoolSurvey())
    house.apply(token_quota_low__fraction="0.25")
    await survey()
    assert surveys.asked[-1][2] == 0.25
