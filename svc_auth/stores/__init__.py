"""Where auth keeps what it owns, by URL; each store loaded only when its scheme is asked for."""

from mesh.storage.registry import Registry
from mesh.storage.schema import Schema
from svc_auth.ports import AuthStore

STORES: Registry[AuthStore] = Registry(
    "auth.store",
    {
        "sqlite": "svc_auth.stores.sql:open_store",
        "postgresql": "svc_auth.stores.sql:open_store",
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
