"""Reservations in their callers' own hands: begun, found, settled or released."""

from collections.abc import Collection
from dataclasses import dataclass

from leaky.common.v1 import reason_pb2
from mesh.errors import AppError
from mesh.finisher import Finisher
from mesh.identity.principal import Principal
from svc_token.domain.bucket import Taken
from svc_token.domain.entry import Provenance
from svc_token.domain.owner import SPENDERS
from svc_token.domain.reservation import Reservation
from svc_token.domain.spend import Spend
from svc_token.ports import Limits, Pools, Visibility
from svc_token.usecases.ask_bucket import AskBucket
from svc_token.usecases.hold_tokens import HoldTokens
from svc_token.usecases.owner_roles import OwnerRoles
from svc_token.usecases.reserve import RateLimitedError, ReserveTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginReservation:
    """Reserves under the caller's own id; the same id again is the first answer."""

    reserve: ReserveTokens
    pools: Pools
    limits: Limits
    finisher: Finisher

    async def __call__(
        self, spend: Spend, principal: Principal, *, id_: str, ttl_us: int
    ) -> Reservation:
        """The reservation as it began. Raises what ReserveTokens raises.

        While quotas are not enforced nothing can be held: AppError FEATURE_DISABLED.
        """
        if not self.limits.quotas_enforced:
            message = "quotas are not enforced, so nothing can be reserved"
            raise AppError(reason_pb2.REASON_FEATURE_DISABLED, message, retry_after=60)
        return await self.finisher.finish(self._begin(spend, principal, id_, ttl_us))

    async def _begin(
        self, spend: Spend, principal: Principal, id_: str, ttl_us: int
    ) -> Reservation:
        try:
            held = await self.reserve(spend, principal, id_=id_, ttl_us=ttl_us)
        except RateLimitedError:
            known = await self._known(spend, id_)
            if known is None:
                raise
            return known
        if held.reservation is None:
            raise RuntimeError("quotas were switched off meanwhile")
        return held.reservation

    async def _known(self, spend: Spend, id_: str) -> Reservation | None:
        for one in await self.pools.reservations(id_):
            if one.pool == spend.pool and one.is_for(spend.user_id, spend.tokens):
                return one
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindReservation:
    """A reservation by its id, among those that the caller may see.

    Ids are their owners' own: with several, the caller's own comes first, and
    of those the one on a user's pool, unless `org_id` says which is meant.
    """

    pools: Pools
    visibility: Visibility

    async def __call__(
        self,
        id_: str,
        principal: Principal,
        *,
        org_id: str | None = None,
        standings: Collection[str] = (),
    ) -> Reservation:
        """The reservation. Raises AppError RESERVATION_NOT_FOUND.

        With `standings`, of an organisation's only those that such a member may end.
        """
        seen = [
            one
            for one in await self.pools.reservations(id_)
            if org_id in {None, one.org_id} and await self._may_see(one, principal, standings)
        ]
        if not seen:
            raise AppError(reason_pb2.REASON_RESERVATION_NOT_FOUND, "no such reservation")
        return min(seen, key=lambda one: (one.user_id != principal.user_id, one.org_id or ""))

    async def _may_see(
        self, one: Reservation, principal: Principal, standings: Collection[str]
    ) -> bool:
        return await self.visibility.may_see(
            principal, user_id=one.user_id, org_id=one.org_id, standings=standings
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EndReservation:
    """Settles or releases; what was not used goes back to the pool and to the rate bucket.

    To end a hold on an organisation's pool is to spend of it, which is not for billing.
    """

    find: FindReservation
    hold_tokens: HoldTokens
    ask_bucket: AskBucket
    owner_roles: OwnerRoles
    limits: Limits
    finisher: Finisher

    async def settle(
        self,
        id_: str,
        principal: Principal,
        *,
        tokens: int,
        provenance: Provenance = Provenance.EXACT,
        org_id: str | None = None,
    ) -> Reservation:
        """Charges `tokens`, also when they are more than were held, or late: then once.

        Raises AppError RESERVATION_NOT_FOUND or RESERVATION_CONFLICT, and PERMISSION_DENIED
        for more than was held from whoever may spend of that pool no longer.
        """
        found = await self.find(id_, principal, org_id=org_id, standings=SPENDERS)
        if tokens > found.hold.tokens and not await self._may_spend(found, principal):
            message = "who may not spend here any more settles at most what was held"
            raise AppError(reason_pb2.REASON_PERMISSION_DENIED, message)
        work = self._settle(found, principal, tokens, provenance)
        return await self.finisher.finish(work)

    async def _may_spend(self, found: Reservation, principal: Principal) -> bool:
        if found.org_id is None:
            return True
        # As a member: that the hold is its own is known.
        return await self.find.visibility.may_see(
            principal, user_id="", org_id=found.org_id, standings=SPENDERS
        )

    async def _settle(
        self, found: Reservation, principal: Principal, tokens: int, provenance: Provenance
    ) -> Reservation:
        spend = _spend_of(found, tokens)
        ended = await self.hold_tokens.settle(found.id, spend, provenance=provenance)
        await self._refund(ended, principal, max(0, ended.hold.tokens - tokens))
        return ended

    async def release(
        self, id_: str, principal: Principal, *, org_id: str | None = None
    ) -> Reservation:
        """Charges nothing.

        Raises AppError RESERVATION_NOT_FOUND, or RESERVATION_CONFLICT for a settled one.
        """
        found = await self.find(id_, principal, org_id=org_id, standings=SPENDERS)
        return await self.finisher.finish(self._release(found, principal))

    async def _release(self, found: Reservation, principal: Principal) -> Reservation:
        ended = await self.hold_tokens.release(found.id, _spend_of(found, found.hold.tokens))
        await self._refund(ended, principal, ended.hold.tokens)
        return ended

    async def _refund(self, ended: Reservation, principal: Principal, tokens: int) -> None:
        if ended.repeated or not tokens or not ended.bucket_us:
            return
        try:
            roles = await self.owner_roles(ended.user_id, principal)
        except AppError:
            # Stricter than it need be until the bucket has drained; the pool is right.
            return
        spend = _spend_of(ended, tokens)
        rule = self.limits.bucket(roles, spend.provider)
        await self.ask_bucket.refund(spend, rule, taken=Taken(ended.bucket_us))


def _spend_of(reservation: Reservation, tokens: int) -> Spend:
    return Spend(
        user_id=reservation.user_id,
        org_id=reservation.org_id,
        provider=reservation.pool.provider,
        tokens=tokens,
        prompt=None,
    )
