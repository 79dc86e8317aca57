"""leaky.token.v1.MeteringService."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, TypeVar

from google.protobuf.descriptor import ServiceDescriptor

from leaky.common.v1 import reason_pb2
from leaky.token.v1 import metering_service_pb2 as pb
from leaky.token.v1 import reservation_pb2
from mesh.errors import AppError, invalid
from mesh.rpc.call import Call
from mesh.rpc.times import timestamp
from svc_token.domain.entry import Provenance
from svc_token.domain.reservation import Reservation, State
from svc_token.domain.spend import Spend
from svc_token.usecases.reservations import BeginReservation, EndReservation, FindReservation
from svc_token.usecases.reserve import RateLimitedError

MICRO = 1_000_000
MOST = 256
In = TypeVar("In")
Out = TypeVar("Out")


class MeteringServicer:
    """Reservations in their callers' own hands."""

    SERVICE: ClassVar[ServiceDescriptor] = pb.DESCRIPTOR.services_by_name["MeteringService"]

    def __init__(
        self, *, begin: BeginReservation, find: FindReservation, end: EndReservation
    ) -> None:
        self._begin, self._find, self._end = begin, find, end

    async def reserve(self, request: pb.ReserveRequest, call: Call) -> pb.ReserveResponse:
        """Begins one."""
        spend = Spend(
            user_id=request.user_id,
            org_id=request.org_id or None,
            provider=request.provider,
            tokens=request.tokens,
            prompt=None,
        )
        try:
            reservation = await self._begin(
                spend, call.principal, id_=request.id, ttl_us=request.ttl_seconds * MICRO
            )
        except RateLimitedError as refusal:
            wait = refusal.decision.wait_seconds
            message = f"rate limited for {wait} s"
            raise AppError(reason_pb2.REASON_RATE_LIMITED, message, retry_after=wait) from None
        return pb.ReserveResponse(
            id=reservation.id,
            # Whatever has become of it since: a repeated answer is the first one.
            state=State.RESERVED.value,
            tokens=reservation.hold.tokens,
            expires_at=timestamp(reservation.expires_us),
            remaining_tokens=reservation.remaining,
        )

    async def settle(self, request: pb.SettleRequest, call: Call) -> pb.SettleResponse:
        """Charges one."""
        ended = await self._end.settle(
            request.id,
            call.principal,
            tokens=request.tokens,
            provenance=Provenance((request.provenance or "EXACT").lower()),
            org_id=request.org_id or None,
        )
        return pb.SettleResponse(
            id=ended.id,
            state=ended.state.value,
            settled_tokens=ended.settled,
            remaining_tokens=ended.end_remaining,
        )

    async def release(self, request: pb.ReleaseRequest, call: Call) -> pb.ReleaseResponse:
        """Frees one."""
        ended = await self._end.release(request.id, call.principal, org_id=request.org_id or None)
        return pb.ReleaseResponse(
            id=ended.id,
            state=ended.state.value,
            settled_tokens=ended.settled,
            remaining_tokens=ended.end_remaining,
        )

    async def get_reservation(
        self, request: pb.GetReservationRequest, call: Call
    ) -> pb.GetReservationResponse:
        """One as it stands."""
        found = await self._find(request.id, call.principal, org_id=request.org_id or None)
        return pb.GetReservationResponse(reservation=_reservation(found))

    async def batch_reserve(
        self, request: pb.BatchReserveRequest, call: Call
    ) -> pb.BatchReserveResponse:
        """Begins many; those that come together are written together."""

        async def one(item: pb.BatchReserveRequest.Item) -> pb.BatchReserveResponse.Result:
            whole = pb.ReserveRequest(
                id=item.id,
                user_id=request.user_id,
                org_id=request.org_id if request.HasField("org_id") else None,
                provider=request.provider,
                tokens=item.tokens,
                ttl_seconds=item.ttl_seconds,
            )
            reserved = await self.reserve(whole, call)
            return pb.BatchReserveResponse.Result(reserved=reserved)

        def refused(refusal: pb.Refusal) -> pb.BatchReserveResponse.Result:
            return pb.BatchReserveResponse.Result(refused=refusal)

        return pb.BatchReserveResponse(results=await _each(request.items, one, refused))

    async def batch_settle(
        self, request: pb.BatchSettleRequest, call: Call
    ) -> pb.BatchSettleResponse:
        """Charges many."""

        async def one(item: pb.SettleRequest) -> pb.BatchSettleResponse.Result:
            return pb.BatchSettleResponse.Result(settled=await self.settle(item, call))

        def refused(refusal: pb.Refusal) -> pb.BatchSettleResponse.Result:
            return pb.BatchSettleResponse.Result(refused=refusal)

        return pb.BatchSettleResponse(results=await _each(request.items, one, refused))

    async def batch_release(
        self, request: pb.BatchReleaseRequest, call: Call
    ) -> pb.BatchReleaseResponse:
        """Frees many."""

        async def one(item: pb.ReleaseRequest) -> pb.BatchReleaseResponse.Result:
            return pb.BatchReleaseResponse.Result(released=await self.release(item, call))

        def refused(refusal: pb.Refusal) -> pb.BatchReleaseResponse.Result:
            return pb.BatchReleaseResponse.Result(refused=refusal)

        return pb.BatchReleaseResponse(results=await _each(request.items, one, refused))


async def _each(
    items: Sequence[In], work: Callable[[In], Awaitable[Out]], refused: Callable[[pb.Refusal], Out]
) -> list[Out]:
    """The work of all items at once; what is refused is so by itself."""
    if len(items) > MOST:
        raise invalid("items", f"at most {MOST}")

    async def one(item: In) -> Out:
        try:
            return await work(item)
        except AppError as error:
            return refused(_refusal(error))

    return await asyncio.gather(*map(one, items))


def _refusal(error: AppError) -> pb.Refusal:
    after = error.retry_after
    return pb.Refusal(
        reason=error.outcome.name,
        message=error.message,
        retry_after_seconds=None if after is None else math.ceil(after),
    )


def _reservation(one: Reservation) -> reservation_pb2.Reservation:
    ended = one.state is not State.RESERVED
    return reservation_pb2.Reservation(
        id=one.id,
        user_id=one.user_id,
        org_id=one.org_id,
        provider=one.pool.provider,
        state=one.state.value,
        tokens=one.hold.tokens,
        settled_tokens=one.settled if one.state is State.SETTLED else None,
        expires_at=timestamp(one.expires_us),
        remaining_tokens=one.end_remaining if ended else one.remaining,
    )
