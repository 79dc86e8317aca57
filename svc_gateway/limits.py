"""The live rate-limit settings as the use case sees them."""

from dataclasses import dataclass

from mesh.settings import Live
from svc_gateway.domain.limit import MICRO, Limit, limit_for, under
from svc_gateway.settings import GatewaySettings, RateLimitSettings


@dataclass(frozen=True, slots=True)
class LiveRateLimits:
    """Reads the settings at each question."""

    settings: Live[GatewaySettings]

    def __call__(self, path: str) -> Limit | None:
        """The limit of a path; None when limiting is off or the path is whitelisted."""
        current = self.settings.current
        rules = current.gateway.rate_limit
        if not current.feature.flags.gateway.rate_limiting or _whitelisted(path, rules):
            return None
        window_us = int(rules.window * MICRO)
        default = Limit(name="default", capacity=rules.capacity, window_us=window_us)
        return limit_for(path, default, rules.routes)


def _whitelisted(path: str, rules: RateLimitSettings) -> bool:
    return any(under(path, prefix) for prefix in rules.whitelist_paths.split(",") if prefix)
