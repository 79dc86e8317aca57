"""The ports that one database serves together."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from svc_auth.organization_ports import Invitations, Memberships, Organizations
from svc_auth.ports import ApiKeys, Audit, RevocationLog, SigningKeys, Users
from svc_auth.ports_oauth2 import Consents, Grants, LoginSessions, OAuthClients


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthStores:
    """What `auth.store` opens."""

    users: Users
    keys: ApiKeys
    organizations: Organizations
    memberships: Memberships
    invitations: Invitations
    signing_keys: SigningKeys
    oauth_clients: OAuthClients
    grants: Grants
    consents: Consents
    login_sessions: LoginSessions
    audit: Audit
    revocations: RevocationLog
    ping: Callable[[], Awaitable[None]]
