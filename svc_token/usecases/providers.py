"""What is told of providers."""

from dataclasses import dataclass

from leaky.common.v1 import reason_pb2
from mesh.errors import AppError
from svc_token.domain.provider import ProviderFacts
from svc_token.ports import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class GetProviderQuota:
    """A provider's facts."""

    limits: Limits

    async def __call__(self, provider: str) -> ProviderFacts:
        """The facts. Raises AppError PROVIDER_NOT_FOUND."""
        facts = self.limits.facts(provider)
        if facts is None:
            raise AppError(reason_pb2.REASON_PROVIDER_NOT_FOUND, "no such provider")
        return facts
