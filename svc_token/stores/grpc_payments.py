"""The payment provider, over gRPC."""

from collections.abc import Sequence

from leaky.common.v1.reason_pb2 import REASON_PAYMENT_DECLINED, REASON_PAYMENT_NOT_FOUND
from leaky.provider.v1 import payment_pb2
from leaky.provider.v1 import payment_service_pb2 as pb
from mesh.errors import AppError
from mesh.rpc.channel import Channel
from mesh.rpc.method import rpc
from svc_token.domain.payment import Payment, PaymentState

_AUTHORIZE = rpc(pb.AuthorizePaymentRequest, pb.AuthorizePaymentResponse)
_CAPTURE = rpc(pb.CapturePaymentRequest, pb.CapturePaymentResponse)
_VOID = rpc(pb.VoidPaymentRequest, pb.VoidPaymentResponse)
_GET = rpc(pb.GetPaymentRequest, pb.GetPaymentResponse)
_LIST = rpc(pb.ListPaymentsRequest, pb.ListPaymentsResponse)
_STATES = {
    PaymentState.AUTHORIZED: payment_pb2.PAYMENT_STATE_AUTHORIZED,
    PaymentState.CAPTURED: payment_pb2.PAYMENT_STATE_CAPTURED,
    PaymentState.VOIDED: payment_pb2.PAYMENT_STATE_VOIDED,
}
_NAMES = {number: state for state, number in _STATES.items()}


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

    async def find(self, payment_id: str) -> Payment | None:
        """Where a payment stands; None when the books do not know it."""
        try:
            answer = await self._stubs.unary(_GET, pb.GetPaymentRequest(id=payment_id))
        except AppError as error:
            if error.reason == REASON_PAYMENT_NOT_FOUND:
                return None
            raise
        return _payment(answer.payment)

    async def list(
        self, limit: int, *, after: str | None = None, state: PaymentState | None = None
    ) -> Sequence[Payment]:
        """The books in the order of ids, at most 1,000 of them; from `after` on, exclusive."""
        request = pb.ListPaymentsRequest(
            after=after or "",
            limit=limit,
            state=_STATES[state] if state else payment_pb2.PAYMENT_STATE_UNSPECIFIED,
        )
        answer = await self._stubs.unary(_LIST, request)
        return [_payment(payment) for payment in answer.payments]


def _payment(message: payment_pb2.Payment) -> Payment:
    return Payment(
        id=message.id,
        tokens=message.tokens,
        state=_NAMES[message.state],
        updated_us=message.updated_at.ToMicroseconds(),
    )
