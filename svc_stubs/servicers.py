"""The doubles over gRPC."""

from typing import ClassVar

from google.protobuf.descriptor import ServiceDescriptor

from leaky.provider.v1 import chat_service_pb2, payment_pb2, payment_service_pb2
from mesh.rpc.call import Call
from svc_stubs.domain.payment import Payment, State
from svc_stubs.usecases.chat import Chat
from svc_stubs.usecases.payments import Payments

_STATES = {
    State.AUTHORIZED: payment_pb2.PAYMENT_STATE_AUTHORIZED,
    State.CAPTURED: payment_pb2.PAYMENT_STATE_CAPTURED,
    State.VOIDED: payment_pb2.PAYMENT_STATE_VOIDED,
}
_NAMES = {number: state for state, number in _STATES.items()}


class ChatServicer:
    """Serves ChatService."""

    SERVICE: ClassVar[ServiceDescriptor] = chat_service_pb2.DESCRIPTOR.services_by_name[
        "ChatService"
    ]

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    async def chat(
        self, request: chat_service_pb2.ChatRequest, _call: Call
    ) -> chat_service_pb2.ChatResponse:
        """The named double's answer."""
        body = await self._chat(request.provider, request.body)
        return chat_service_pb2.ChatResponse(body=body)


class PaymentServicer:
    """Serves PaymentService."""

    SERVICE: ClassVar[ServiceDescriptor] = payment_service_pb2.DESCRIPTOR.services_by_name[
        "PaymentService"
    ]

    def __init__(self, payments: Payments) -> None:
        self._payments = payments

    async def authorize_payment(
        self, request: payment_service_pb2.AuthorizePaymentRequest, _call: Call
    ) -> payment_service_pb2.AuthorizePaymentResponse:
        """Holds the money."""
        payment = await self._payments.authorize(request.id, request.tokens)
        return payment_service_pb2.AuthorizePaymentResponse(payment=_message(payment))

    async def capture_payment(
        self, request: payment_service_pb2.CapturePaymentRequest, _call: Call
    ) -> payment_service_pb2.CapturePaymentResponse:
        """Takes the money held."""
        payment = await self._payments.capture(request.id)
        return payment_service_pb2.CapturePaymentResponse(payment=_message(payment))

    async def void_payment(
        self, request: payment_service_pb2.VoidPaymentRequest, _call: Call
    ) -> payment_service_pb2.VoidPaymentResponse:
        """Lets go of the money held."""
        payment = await self._payments.void(request.id)
        return payment_service_pb2.VoidPaymentResponse(payment=_message(payment))

    async def get_payment(
        self, request: payment_service_pb2.GetPaymentRequest, _call: Call
    ) -> payment_service_pb2.GetPaymentResponse:
        """Where the payment stands."""
        payment = await self._payments.get(request.id)
        return payment_service_pb2.GetPaymentResponse(payment=_message(payment))

    async def list_payments(
        self, request: payment_service_pb2.ListPaymentsRequest, _call: Call
    ) -> payment_service_pb2.ListPaymentsResponse:
        """A page of the books."""
        payments = await self._payments.list(
            request.after, request.limit, _NAMES.get(request.state)
        )
        return payment_service_pb2.ListPaymentsResponse(payments=map(_message, payments))


def _message(payment: Payment) -> payment_pb2.Payment:
    message = payment_pb2.Payment(
        id=payment.id, tokens=payment.tokens, state=_STATES[payment.state]
    )
    message.updated_at.FromMicroseconds(payment.updated_at_us)
    return message
