"""The ports that one database serves together."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from svc_auth.ports import ApiKeys, Audit, Organizations, RevocationLog, SigningKeys, Users


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthStores:
    """What `auth.store` opens."""

    users: Users
    keys: ApiKeys
    organizations: Organizations
    signing_keys: SigningKeys
    audit: Audit
    revocations: RevocationLog
    ping: Callable[[], Awaitable[None]]
