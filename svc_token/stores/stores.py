"""The ports that one database serves together, so that one transaction can span them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from svc_token.ports import IdempotencyKeys, Leases, Ledger, MemberCaps, Outbox, Pools
from svc_token.purchase_ports import Sagas
from svc_token.reconcile_ports import Audit
from svc_token.survey_ports import PoolSurveys


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenStores:
    """What `token.store` opens."""

    ledger: Ledger
    pools: Pools
    surveys: PoolSurveys
    caps: MemberCaps
    sagas: Sagas
    outbox: Outbox
    leases: Leases
    keys: IdempotencyKeys
    audit: Audit
    ping: Callable[[], Awaitable[None]]
