"""What purchases need of the world, beside the ports of every day, as atomic verbs."""

from collections.abc import Sequence
from typing import Protocol

from svc_token.domain.payment import Payment, PaymentState
from svc_token.domain.saga import Move, Saga, Unfinished
from svc_token.domain.window import Window


class Sagas(Protocol):
    """Purchases; each verb is one transaction with the events that tell of it."""

    async def start(self, saga: Saga, event_id: str) -> Saga:
        """The saga, or the one that this scope's idempotency key began earlier."""
        ...

    async def find(self, saga_id: str) -> Saga | None:
        """A saga by its id."""
        ...

    async def unfinished(self, limit: int, *, after: Saga | None = None) -> Sequence[Saga]:
        """Sagas that have a next step, longest untouched first; from `after` on, exclusive."""
        ...

    async def claim(
        self, holder: str, limit: int, *, now_us: int, until_us: int, after: Saga | None = None
    ) -> Sequence[Saga]:
        """As `unfinished`, those that nobody holds or that are the holder's; now it holds them.

        Whoever held one before can end no step of it any more.
        """
        ...

    async def renew(self, saga: Saga, until_us: int) -> Saga | None:
        """The saga with a longer lease; None when it has moved, or is somebody else's."""
        ...

    async def give_back(self, holder: str) -> None:
        """What this one holds is anybody's at once; it can end no step of it any more."""
        ...

    async def survey(self, before_us: int) -> Unfinished:
        """What has not ended; stale is what nobody has moved since `before_us`."""
        ...

    async def move(self, saga: Saga, move: Move, event_ids: Sequence[str], now_us: int) -> bool:
        """Ends a step; False when the saga has moved since it was read, or somebody moves it."""
        ...

    async def allocate(
        self,
        saga: Saga,
        move: Move,
        event_ids: Sequence[str],
        *,
        allowance: int,
        window: Window,
        now_us: int,
    ) -> bool:
        """As `move`, and the tokens are in the pool, which is made when missing."""
        ...


class Payments(Protocol):
    """Money. Every call may be repeated; a lost answer is an AppError, to be asked again."""

    async def authorize(self, payment_id: str, tokens: int) -> bool:
        """Holds the money; False when it was declined."""
        ...

    async def capture(self, payment_id: str) -> None:
        """Takes the money held."""
        ...

    async def void(self, payment_id: str) -> None:
        """Lets go of the money, also of a payment never seen."""
        ...

    async def find(self, payment_id: str) -> Payment | None:
        """Where a payment stands; None when the books do not know it."""
        ...

    async def list(
        self, limit: int, *, after: str | None = None, state: PaymentState | None = None
    ) -> Sequence[Payment]:
        """The books in the order of ids, at most 1,000 of them; from `after` on, exclusive.

        None are left when it is empty. `state` leaves out all others.
        """
        ...
