"""Surveys all pools, so many a round, so that a large ledger costs no more than a small one."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from mesh.clock import Clock
from mesh.errors import AppError
from svc_token.domain.survey import PoolSurvey
from svc_token.metrics import LOW, OVERDRAWN
from svc_token.ports import Limits
from svc_token.survey_ports import PoolSurveys

# Read in one statement: some ten milliseconds of a database's time.
PAGE = 10_000
# Of one round; a million pools are through after ten of them.
PAGES = 10


@dataclass(slots=True, kw_only=True)
class PoolSurveyor:
    """A round goes on where the last one ended; what all came to is told once all are through.

    So a round reads at most PAGE x PAGES rows, however many there are, and
    figures are as old as so many rounds as there are times so many pools.
    """

    surveys: PoolSurveys
    limits: Limits
    clock: Clock
    low_fraction: Callable[[], float]
    page: int = PAGE
    pages: int = PAGES
    _so_far: PoolSurvey = field(default_factory=PoolSurvey)

    async def __call__(self) -> bool:
        """False: the rest is for the next round. Raises AppError when the store is away."""
        try:
            for _ in range(self.pages):
                if not await self._goes_on():
                    break
        except AppError:
            self._so_far = PoolSurvey()
            _set_all(math.nan)
            raise
        return False

    async def _goes_on(self) -> bool:
        found = await self.surveys.survey(
            self._so_far.last,
            self.page,
            window=self.limits.window(self.clock.now_us()),
            low_fraction=self.low_fraction(),
        )
        self._so_far = self._so_far.plus(found)
        if found.last is not None:
            return True
        _tell(self._so_far)
        self._so_far = PoolSurvey()
        return False


def _tell(survey: PoolSurvey) -> None:
    _set_all(0)
    for provider, pools in survey.low.items():
        # Those that are not configured any more are one together.
        LOW.of(provider).inc(pools)
    OVERDRAWN.set(survey.overdrawn)


def _set_all(figure: float) -> None:
    for child in LOW.children():
        child.set(figure)
    OVERDRAWN.set(figure)
