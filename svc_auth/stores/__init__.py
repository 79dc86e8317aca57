"""Where auth keeps what it owns, by URL; each store loaded only when its scheme is asked for."""

from mesh.storage.registry import Registry
from mesh.storage.schema import Schema
from svc_auth.stores.stores import AuthStores

STORES: Registry[AuthStores] = Registry(
    "auth.store",
    {
        "sqlite": "svc_auth.stores.sql:open_stores",
        "postgresql": "svc_auth.stores.sql:open_stores",
    },
)
# What `leaky migrate` brings up to date.
SCHEMAS: Registry[Schema] = Registry(
    "auth.store",
    {
        "sqlite": "svc_auth.stores.sql:open_schema",
        "postgresql": "svc_auth.stores.sql:open_schema",
    },
)
