"""leaky.token.v1.ConsumeService."""

from typing import ClassVar

from google.protobuf.descriptor import ServiceDescriptor

from leaky.common.v1 import reason_pb2
from leaky.token.v1 import consume_service_pb2 as pb
from mesh.errors import AppError
from mesh.rpc.call import Call
from mesh.rpc.times import timestamp
from svc_token.domain.bucket import Decision
from svc_token.domain.spend import Spend
from svc_token.usecases.consume import Consume
from svc_token.usecases.providers import GetProviderQuota
from svc_token.usecases.rate_limits import GetRateLimit
from svc_token.usecases.reserve import RateLimitedError


class ConsumeServicer:
    """Spending, and how fast it may be done."""

    SERVICE: ClassVar[ServiceDescriptor] = pb.DESCRIPTOR.services_by_name["ConsumeService"]

    def __init__(
        self,
        *,
        consume: Consume,
        get_rate_limit: GetRateLimit,
        get_provider_quota: GetProviderQuota,
    ) -> None:
        self._consume = consume
        self._get_rate_limit = get_rate_limit
        self._get_provider_quota = get_provider_quota

    async def consume(self, request: pb.ConsumeRequest, call: Call) -> pb.ConsumeResponse:
        """A refusal by the bucket carries the documented body as its detail."""
        spend = Spend(
            user_id=request.user_id,
            org_id=request.org_id or None,
            provider=request.provider,
            tokens=request.tokens,
            prompt=request.prompt if request.HasField("prompt") else None,
        )
        try:
            spent = await self._consume(
                spend, call.principal, idempotency_key=request.idempotency_key or None
            )
        except RateLimitedError as refusal:
            raise AppError(
                reason_pb2.REASON_RATE_LIMITED,
                "rate limited",
                details=(_response(refusal.decision, refusal.decision.at_us, b""),),
                retry_after=refusal.decision.wait_seconds,
            ) from None
        return _response(spent.decision, spent.at_us, spent.answer)

    async def get_rate_limit(
        self, request: pb.GetRateLimitRequest, call: Call
    ) -> pb.GetRateLimitResponse:
        """The bucket as it stands."""
        strategy, decision = await self._get_rate_limit(
            request.user_id, request.provider, call.principal
        )
        return pb.GetRateLimitResponse(
            user_id=request.user_id,
            provider=request.provider,
            strategy=strategy.value,
            capacity=decision.capacity,
            used=decision.used,
            remaining=decision.remaining,
            wait_seconds=decision.wait_seconds,
        )

    async def get_provider_quota(
        self, request: pb.GetProviderQuotaRequest, _call: Call
    ) -> pb.GetProviderQuotaResponse:
        """The provider's settings."""
        facts = await self._get_provider_quota(request.provider)
        return pb.GetProviderQuotaResponse(
            provider=request.provider,
            default_quota=facts.default_quota,
            rate_limit=facts.rate_limit,
            enabled=facts.enabled,
        )


def _response(decision: Decision, at_us: int, answer: bytes) -> pb.ConsumeResponse:
    return pb.ConsumeResponse(
        allowed=decision.allowed,
        capacity=decision.capacity,
        used=decision.used,
        remaining=decision.remaining,
        wait_seconds=decision.wait_seconds,
        timestamp=timestamp(at_us),
        provider_response=answer,
    )
