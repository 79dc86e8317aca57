"""The ports' stores, each loaded when its URL scheme is asked for."""

from mesh.storage.registry import Registry
from mesh.storage.schema import Schema
from svc_token.ports import Buckets, EventSink
from svc_token.stores.stores import TokenStores

TOKEN_STORES: Registry[TokenStores] = Registry(
    "token.store",
    {
        "sqlite": "svc_token.stores.sql:open_stores",
        "postgresql": "svc_token.stores.sql:open_stores",
    },
)
# What `leaky migrate` brings up to date.
SCHEMAS: Registry[Schema] = Registry(
    "token.store",
    {
        "sqlite": "svc_token.stores.sql:open_schema",
        "postgresql": "svc_token.stores.sql:open_schema",
    },
)
BUCKETS: Registry[Buckets] = Registry(
    "token.bucket.store",
    {
        "memory": "svc_token.stores.buckets_memory:open_buckets",
        "redis": "svc_token.stores.buckets_redis:open_buckets",
        "rediss": "svc_token.stores.buckets_redis:open_buckets",
    },
)
SINKS: Registry[EventSink] = Registry(
    "token.usage.sink",
    {
        "grpc": "svc_token.stores.sink_grpc:open_sink",
        "kafka": "svc_token.stores.sink_kafka:open_sink",
    },
)
