"""Auth's stores in one SQL database, by SQLAlchemy Core."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from mesh.storage import sql
from mesh.storage.schema import Schema
from svc_auth.stores.sql_api_keys import SqlApiKeys
from svc_auth.stores.sql_audit import SqlAudit
from svc_auth.stores.sql_invitations import SqlInvitations
from svc_auth.stores.sql_login_sessions import SqlLoginSessions
from svc_auth.stores.sql_memberships import SqlMemberships
from svc_auth.stores.sql_oauth_clients import SqlOAuthClients
from svc_auth.stores.sql_oauth_consents import SqlConsents
from svc_auth.stores.sql_oauth_grants import SqlGrants
from svc_auth.stores.sql_organizations import SqlOrganizations
from svc_auth.stores.sql_revocations import SqlRevocations
from svc_auth.stores.sql_signing_keys import SqlSigningKeys
from svc_auth.stores.sql_users import SqlUsers
from svc_auth.stores.stores import AuthStores

MIGRATIONS = Path(__file__).parents[1] / "migrations"


@asynccontextmanager
async def open_stores(url: str) -> AsyncIterator[AuthStores]:
    """The stores in `sqlite:///path` or `postgresql://...`."""
    async with sql.open_database(url, service="auth", folder=MIGRATIONS) as database:
        yield AuthStores(
            users=SqlUsers(database),
            keys=SqlApiKeys(database),
            organizations=SqlOrganizations(database),
            memberships=SqlMemberships(database),
            invitations=SqlInvitations(database),
            signing_keys=SqlSigningKeys(database),
            oauth_clients=SqlOAuthClients(database),
            grants=SqlGrants(database),
            consents=SqlConsents(database),
            login_sessions=SqlLoginSessions(database),
            audit=SqlAudit(database),
            revocations=SqlRevocations(database),
            ping=database.ping,
        )


def open_schema(url: str) -> AbstractAsyncContextManager[Schema]:
    """The tables behind the URL, for `leaky migrate`."""
    return sql.open_schema(url, service="auth", folder=MIGRATIONS)
