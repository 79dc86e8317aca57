"""Beginning a purchase and asking what became of it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from leaky.common.v1 import reason_pb2
from mesh.clock import Clock, Ids
from mesh.errors import AppError
from mesh.identity.flights import Flights
from mesh.identity.principal import Principal
from svc_token.domain.saga import Saga, Status, Step
from svc_token.ports import Limits, Visibility
from svc_token.purchase_ports import Sagas


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to buy, for whom; an organisation when one is named."""

    user_id: str
    org_id: str | None
    provider: str
    tokens: int
    idempotency_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePurchase:
    """Writes the saga down and lets the runner know; it is durable when this returns."""

    sagas: Sagas
    limits: Limits
    clock: Clock
    ids: Ids
    wake: Callable[[], None]
    # Whose runner goes on with it; none leaves it to whoever comes first.
    holder: str | None = None
    # Duplicates that come together share one transaction, and leave the others to others.
    _flights: Flights[tuple[str, str], Saga] = field(default_factory=Flights)

    async def __call__(self, order: Order, principal: Principal) -> Saga:
        """The saga as it began, or the one that the same key began.

        Raises AppError UNKNOWN_PROVIDER, FEATURE_DISABLED or IDEMPOTENCY_KEY_REUSED.
        """
        self.limits.provider(order.provider)
        if not self.limits.purchases_enabled:
            raise AppError(
                reason_pb2.REASON_FEATURE_DISABLED, "purchases are switched off", retry_after=60
            )
        wanted = self._saga(order, principal)
        saga = await self._start(wanted)
        if not saga.same_request(wanted):
            raise AppError(
                reason_pb2.REASON_IDEMPOTENCY_KEY_REUSED,
                "the Idempotency-Key was used with another request",
            )
        self.wake()
        # What became of it since is another question: a key's answers are all the same.
        return replace(saga, status=wanted.status)

    async def _start(self, wanted: Saga) -> Saga:
        async def start() -> Saga:
            return await self.sagas.start(wanted, self.ids.new())

        if wanted.idempotency_key is None:
            return await start()
        return await self._flights.join((wanted.scope, wanted.idempotency_key), start)

    def _saga(self, order: Order, principal: Principal) -> Saga:
        now = self.clock.now_us()
        return Saga(
            id=self.ids.new(),
            # A key is its sender's own: two principals may use the same one.
            scope=principal.user_id or order.user_id,
            user_id=order.user_id,
            org_id=order.org_id,
            provider=order.provider,
            tokens=order.tokens,
            idempotency_key=order.idempotency_key,
            status=Status.STARTED,
            step=Step.AUTHORIZE,
            created_us=now,
            updated_us=now,
            holder=self.holder,
            lease_until_us=now + self.limits.lease_us if self.holder else 0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPurchase:
    """A purchase; somebody else's is not found."""

    sagas: Sagas
    visibility: Visibility

    async def __call__(self, saga_id: str, principal: Principal) -> Saga:
        """The saga. Raises AppError PURCHASE_NOT_FOUND."""
        saga = await self.sagas.find(saga_id)
        if saga is None or not await self.visibility.may_see(
            principal, user_id=saga.user_id, org_id=saga.org_id
        ):
            raise AppError(reason_pb2.REASON_PURCHASE_NOT_FOUND, "purchase not found")
        return saga
