"""Where auth keeps what it owns, by URL; each store loaded only when its scheme is asked for."""

from mesh.storage.registry import Registry
from svc_auth.ports import AuthStore

STORES: Registry[AuthStore] = Registry(
    "auth.store", {"sqlite": "svc_auth.stores.sql:open_sqlite_store"}
)
