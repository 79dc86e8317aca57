"""leaky.token.v1.QuotaService."""

from typing import ClassVar

from google.protobuf.descriptor import ServiceDescriptor

from leaky.token.v1 import quota_pb2
from leaky.token.v1 import quota_service_pb2 as pb
from mesh.clock import Clock
from mesh.rpc.call import Call
from mesh.rpc.times import timestamp
from svc_token.usecases.quotas import (
    CreateOrgQuota,
    GetOrgQuota,
    GetQuota,
    PoolView,
    UpdateOrgQuota,
)


class QuotaServicer:
    """Pools."""

    SERVICE: ClassVar[ServiceDescriptor] = pb.DESCRIPTOR.services_by_name["QuotaService"]

    def __init__(
        self,
        *,
        get: GetQuota,
        get_org: GetOrgQuota,
        create_org: CreateOrgQuota,
        update_org: UpdateOrgQuota,
        clock: Clock,
        version: str,
    ) -> None:
        self._get, self._get_org = get, get_org
        self._create_org, self._update_org = create_org, update_org
        self._clock, self._version = clock, version

    async def get_status(self, _request: pb.GetStatusRequest, _call: Call) -> pb.GetStatusResponse:
        """Says that the service answers."""
        return pb.GetStatusResponse(
            service="token-service",
            status="ok",
            timestamp=timestamp(self._clock.now_us()),
            version=self._version,
        )

    async def get_quota(self, request: pb.GetQuotaRequest, call: Call) -> pb.GetQuotaResponse:
        """A user's pool."""
        view = await self._get(request.user_id, request.provider, call.principal)
        quota = quota_pb2.Quota(
            user_id=request.user_id,
            provider=request.provider,
            total_tokens=view.pool.total,
            remaining_tokens=view.pool.remaining,
            reset_time=timestamp(view.window.end_us),
            updated_at=timestamp(view.pool.updated_us),
        )
        return pb.GetQuotaResponse(quota=quota)

    async def get_org_quota(
        self, request: pb.GetOrgQuotaRequest, _call: Call
    ) -> pb.GetOrgQuotaResponse:
        """An organisation's pool."""
        return pb.GetOrgQuotaResponse(
            quota=_org_quota(await self._get_org(request.org_id, request.provider))
        )

    async def create_org_quota(
        self, request: pb.CreateOrgQuotaRequest, call: Call
    ) -> pb.CreateOrgQuotaResponse:
        """Makes an organisation's pool."""
        view = await self._create_org(
            request.org_id,
            request.provider,
            request.total_tokens,
            idempotency_key=request.idempotency_key or None,
            principal=call.principal,
        )
        return pb.CreateOrgQuotaResponse(quota=_org_quota(view))

    async def update_org_quota(
        self, request: pb.UpdateOrgQuotaRequest, _call: Call
    ) -> pb.UpdateOrgQuotaResponse:
        """Changes an organisation's allowance."""
        view = await self._update_org(request.org_id, request.provider, request.total_tokens)
        return pb.UpdateOrgQuotaResponse(quota=_org_quota(view))


def _org_quota(view: PoolView) -> quota_pb2.OrgQuota:
    return quota_pb2.OrgQuota(
        org_id=view.pool.key.owner.id,
        provider=view.pool.key.provider,
        total_tokens=view.pool.total,
        remaining_tokens=view.pool.remaining,
        reset_time=timestamp(view.window.end_us),
        updated_at=timestamp(view.pool.updated_us),
    )
