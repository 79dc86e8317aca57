"""Where usage events live and where they come from, by the scheme of a setting."""

from mesh.storage.registry import Registry
from mesh.storage.schema import Schema
from svc_analytics.ports import UsageSource, UsageStore

STORES: Registry[UsageStore] = Registry(
    "analytics.store",
    {
        "cassandra": "svc_analytics.stores.cassandra.store:open_store",
        "sqlite": "svc_analytics.stores.sql:open_store",
        "postgresql": "svc_analytics.stores.sql:open_store",
    },
)
# What `leaky migrate` brings up to date.
SCHEMAS: Registry[Schema] = Registry(
    "analytics.store",
    {
        "cassandra": "svc_analytics.stores.cassandra.schema:open_schema",
        "sqlite": "svc_analytics.stores.sql:open_schema",
        "postgresql": "svc_analytics.stores.sql:open_schema",
    },
)
SOURCES: Registry[UsageSource | None] = Registry(
    "analytics.usage.source",
    {
        "grpc": "svc_analytics.stores.source_grpc:open_source",
        "kafka": "svc_analytics.stores.source_kafka:open_source",
    },
)
