"""The ports that one database serves together, so that one transaction can span them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from svc_token.ports import Ledger, Outbox, Pools, Sagas


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenStores:
    """What `token.store` opens."""

    ledger: Ledger
    pools: Pools
    sagas: Sagas
    outbox: Outbox
    ping: Callable[[], Awaitable[None]]
