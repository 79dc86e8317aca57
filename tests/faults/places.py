"""Every failpoint, and the child that comes by it under the load of a run.

A test compares this with what the services declare, so that the matrix forgets none.
"""

from importlib import import_module

from mesh.cli.services import NAMES
from mesh.failpoints import FAILPOINTS

TOKEN, SECOND, ANALYTICS, STUBS, GATEWAY = "token", "token.2", "analytics", "stubs", "gateway"

PLACES = {
    # Every write to balances.
    "group-commit.queued": TOKEN,
    "group-commit.beginning": TOKEN,
    "group-commit.committed": TOKEN,
    "group-commit.answered": TOKEN,
    "ledger.load.before": TOKEN,
    "ledger.load.after": TOKEN,
    "ledger.save.before": TOKEN,
    "ledger.save.after": TOKEN,
    "postgresql.connected": TOKEN,
    "postgresql.commit.before": TOKEN,
    "postgresql.commit.after": TOKEN,
    # On the wire.
    "rpc.received": TOKEN,
    "rpc.handled": TOKEN,
    "channel.call.before": TOKEN,
    "channel.call.after": TOKEN,
    "provider.call.before": TOKEN,
    "provider.call.after": TOKEN,
    "edge.admitted": GATEWAY,
    "edge.call.before": GATEWAY,
    "edge.call.after": GATEWAY,
    "edge.answered": GATEWAY,
    # Money.
    "payment.step.before": STUBS,
    "payment.commit.before": STUBS,
    "payment.commit.after": STUBS,
    # Events.
    "consumer.received": ANALYTICS,
    "consumer.stored": ANALYTICS,
    "consumer.committed": ANALYTICS,
    "usage.append.before": ANALYTICS,
    "usage.commit.before": ANALYTICS,
    "usage.commit.after": ANALYTICS,
}


def declared() -> frozenset[str]:
    """The names in all of the services' code."""
    for name in NAMES:
        import_module(f"svc_{name}.wiring")
    for module in ("mesh.storage.postgresql", "svc_token.stores.sql", "svc_analytics.stores.sql"):
        import_module(module)
    for module in ("svc_token.stores.buckets_redis", "svc_token.stores.sink_kafka"):
        import_module(module)
    return frozenset(FAILPOINTS.declared)


if __name__ == "__main__":
    print("\n".join(sorted(declared())))
