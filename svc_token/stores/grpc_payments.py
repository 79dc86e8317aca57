"""The payment provider, over gRPC."""

from leaky.common.v1.reason_pb2 import REASON_PAYMENT_DECLINED
from leaky.provider.v1 import payment_service_pb2 as pb
from mesh.errors import AppError
from mesh.rpc.channel import Channel
from mesh.rpc.method import rpc

_AUTHORIZE = rpc(pb.AuthorizePaymentRequest, pb.AuthorizePaymentResponse)
_CAPTURE = rpc(pb.CapturePaymentRequest, pb.CapturePaymentResponse)
_VOID = rpc(pb.VoidPaymentRequest, pb.VoidPaymentResponse)


class GrpcPayments:
    """Payments by leaky.provider.v1.PaymentService; every call may be repeated."""

    def __init__(self, stubs: Channel) -> None:
        self._stubs = stubs

    async def authorize(self, payment_id: str, tokens: int) -> bool:
        """Holds the money; False when it was declined."""
        request = pb.AuthorizePaymentRequest(id=payment_id, tokens=tokens)
        try:
            await self._stubs.unary(_AUTHORIZE, request)
        except AppError as error:
            if error.reason == REASON_PAYMENT_DECLINED:
                return False
            raise
        return True

    async def capture(self, payment_id: str) -> None:
        """Takes the money held."""
        await self._stubs.unary(_CAPTURE, pb.CapturePaymentRequest(id=payment_id))

    async def void(self, payment_id: str) -> None:
        """Lets go of the money."""
        await self._stubs.unary(_VOID, pb.VoidPaymentRequest(id=payment_id))
