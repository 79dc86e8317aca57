"""How many pools run low, and whether any gave more than it had."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from svc_token.domain.owner import PoolKey


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSurvey:
    """Of some pools in the order of their keys; `last` is where to go on, None at the end.

    `low` counts those with little left by provider, providers without any
    left out. `overdrawn` counts those of which more is held or spent than there
    ever was in their window: an allowance that was cut below its use is none.
    """

    low: Mapping[str, int] = field(default_factory=dict)
    overdrawn: int = 0
    last: PoolKey | None = None

    def plus(self, later: "PoolSurvey") -> "PoolSurvey":
        """With the pools that come after these."""
        providers = self.low.keys() | later.low.keys()
        low = {name: self.low.get(name, 0) + later.low.get(name, 0) for name in providers}
        return PoolSurvey(low=low, overdrawn=self.overdrawn + later.overdrawn, last=later.last)
