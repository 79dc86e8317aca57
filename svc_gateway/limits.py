"""The live rate-limit settings as the use case sees them."""

from dataclasses import dataclass

from mesh.settings import Live
from svc_gateway.domain.limit import MICRO, Limit, Limits
from svc_gateway.settings import GatewaySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compiled:
    source: GatewaySettings
    limits: Limits | None


class LiveRateLimits:
    """Reads the settings at each question; what follows from them is made once a change."""

    def __init__(self, settings: Live[GatewaySettings]) -> None:
        self._settings = settings
        self._compiled = _compile(settings.current)

    def __call__(self, path: str) -> Limit | None:
        """The limit of a path; None when limiting is off or the path is whitelisted."""
        if self._compiled.source is not self._settings.current:
            self._compiled = _compile(self._settings.current)
        limits = self._compiled.limits
        return None if limits is None else limits.of(path)


def _compile(settings: GatewaySettings) -> _Compiled:
    rules = settings.gateway.rate_limit
    if not settings.feature.flags.gateway.rate_limiting:
        return _Compiled(source=settings, limits=None)
    window_us = int(rules.window * MICRO)
    limits = Limits(
        default=Limit(name="default", capacity=rules.capacity, window_us=window_us),
        routes=[
            Limit(name=prefix, capacity=capacity, window_us=window_us)
            for prefix, capacity in rules.routes.items()
        ],
        free=[prefix for prefix in rules.whitelist_paths.split(",") if prefix],
    )
    return _Compiled(source=settings, limits=limits)
