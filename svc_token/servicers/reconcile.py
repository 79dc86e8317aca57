"""leaky.token.v1.ReconcileService."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import ClassVar

from google.protobuf.descriptor import ServiceDescriptor

from leaky.token.v1 import reconcile_service_pb2 as pb
from mesh.rpc.call import Call
from mesh.rpc.streams import closing
from svc_token.usecases.reconcile.comparison import Compared
from svc_token.usecases.reconcile.reconcile import NotCompared, Reconcile, Told


class ReconcileServicer:
    """The whole of the books, on demand."""

    SERVICE: ClassVar[ServiceDescriptor] = pb.DESCRIPTOR.services_by_name["ReconcileService"]

    def __init__(self, *, reconcile: Reconcile) -> None:
        self._reconcile = reconcile

    async def reconcile(
        self, request: pb.ReconcileRequest, _call: Call
    ) -> AsyncIterator[pb.ReconcileResponse]:
        """Everything that is told, as it is found."""
        return _messages(self._reconcile(repair=request.repair))


async def _messages(told: AsyncIterator[Told]) -> AsyncIterator[pb.ReconcileResponse]:
    async with closing(told):
        async for one in told:
            yield _message(one)


def _message(told: Told) -> pb.ReconcileResponse:
    if isinstance(told, Compared):
        return pb.ReconcileResponse(compared=pb.Compared(**asdict(told)))
    if isinstance(told, NotCompared):
        not_compared = pb.NotCompared(what=told.what, why=told.why)
        return pb.ReconcileResponse(not_compared=not_compared)
    difference = told.difference
    return pb.ReconcileResponse(
        difference=pb.Difference(
            kind=difference.kind.value,
            subject=difference.subject,
            expected=difference.expected,
            found=difference.found,
            advice=difference.advice,
            repairable=difference.repair is not None,
            repaired=told.repaired,
        )
    )
