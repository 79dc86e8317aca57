"""What a survey of the pools needs of the world."""

from typing import Protocol

from svc_token.domain.owner import PoolKey
from svc_token.domain.survey import PoolSurvey
from svc_token.domain.window import Window


class PoolSurveys(Protocol):
    """Pools in figures, so many at a time."""

    async def survey(
        self, after: PoolKey | None, limit: int, *, window: Window, low_fraction: float
    ) -> PoolSurvey:
        """At most `limit` pools beyond a key, in the order of their keys; reads no others.

        Low is a pool with less than `low_fraction` of its total left in this
        window. AppError UNAVAILABLE when the store is away.
        """
        ...
