"""Where requests are counted, by the URL of gateway.rate-limit.store."""

from mesh.storage.registry import Registry
from svc_gateway.ports import Windows

WINDOWS: Registry[Windows] = Registry(
    "gateway.rate-limit.store",
    {
        "memory": "svc_gateway.stores.windows_memory:open_windows",
        "shared": "svc_gateway.stores.windows_shared:open_windows",
        "redis": "svc_gateway.stores.windows_redis:open_windows",
        "rediss": "svc_gateway.stores.windows_redis:open_windows",
    },
)
