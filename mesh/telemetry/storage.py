"""How full the ways to a store are."""

from mesh.telemetry.closed import Closed
from mesh.telemetry.sampled import Sampled
from mesh.telemetry.tally import Gauge, Histogram

_CONNECTIONS = Closed(
    Gauge,
    "sql_pool_connections",
    "Connections of this process's pool to PostgreSQL.",
    {"state": ("idle", "in_use")},
)
IDLE = Sampled(_CONNECTIONS.of("idle"))
IN_USE = Sampled(_CONNECTIONS.of("in_use"))
WAITING = Sampled(Gauge("commit_queue_depth", "Writes that wait for the next group commit."))
BATCH_SIZE = Histogram(
    "commit_batch_size",
    "Writes that went into one transaction together.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
