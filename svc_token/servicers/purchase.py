"""leaky.token.v1.PurchaseService."""

from typing import ClassVar

from google.protobuf.descriptor import ServiceDescriptor

from leaky.token.v1 import purchase_pb2
from leaky.token.v1 import purchase_service_pb2 as pb
from mesh.rpc.call import Call
from mesh.rpc.times import timestamp
from svc_token.usecases.purchases import CreatePurchase, GetPurchase, Order


class PurchaseServicer:
    """Purchases."""

    SERVICE: ClassVar[ServiceDescriptor] = pb.DESCRIPTOR.services_by_name["PurchaseService"]

    def __init__(self, *, create: CreatePurchase, get: GetPurchase) -> None:
        self._create, self._get = create, get

    async def create_purchase(
        self, request: pb.CreatePurchaseRequest, call: Call
    ) -> pb.CreatePurchaseResponse:
        """Begins a purchase."""
        order = Order(
            user_id=request.user_id,
            org_id=request.org_id or None,
            provider=request.provider,
            tokens=request.tokens,
            idempotency_key=request.idempotency_key or None,
        )
        saga = await self._create(order, call.principal)
        return pb.CreatePurchaseResponse(
            saga_id=saga.id, status=saga.status.value, created_at=timestamp(saga.created_us)
        )

    async def get_purchase(
        self, request: pb.GetPurchaseRequest, call: Call
    ) -> pb.GetPurchaseResponse:
        """A purchase as it stands."""
        saga = await self._get(request.saga_id, call.principal)
        purchase = purchase_pb2.Purchase(
            id=saga.id,
            user_id=saga.user_id,
            org_id=saga.org_id,
            provider=saga.provider,
            tokens=saga.tokens,
            idempotency_key=saga.idempotency_key,
            status=saga.status.value,
            created_at=timestamp(saga.created_us),
            updated_at=timestamp(saga.updated_us),
        )
        return pb.GetPurchaseResponse(purchase=purchase)
