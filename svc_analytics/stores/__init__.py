"""Where usage events live, by the scheme of the setting analytics.store."""

from mesh.storage.registry import Registry
from svc_analytics.ports import UsageStore

STORES: Registry[UsageStore] = Registry(
    "analytics.store", {"sqlite": "svc_analytics.stores.sql:open_sqlite_store"}
)
