"""Every failpoint, and the child that comes by it under the load of a run.

A test compares this with what the services declare, so that the matrix forgets none.
"""

from importlib import import_module

from mesh.cli.services import NAMES
from mesh.failpoints import FAILPOINTS

TOKEN, SECOND, ANALYTICS, STUBS, GATEWAY = "token", "token.2", "analytics", "stubs", "gateway"
# Of the two instances of svc_token.
EITHER = "either"

PLACES = {
    # Every write to balances.
    "group-commit.queued": EITHER,
    "group-commit.beginning": EITHER,
    "group-commit.committed": EITHER,
    "group-commit.answered": EITHER,
    "ledger.load.before": EITHER,
    "ledger.load.after": EITHER,
    "ledger.save.before": EITHER,
    "ledger.save.after": EITHER,
    "postgresql.connected": EITHER,
    "postgresql.commit.before": EITHER,
    "postgresql.commit.after": EITHER,
    "bucket.take.before": EITHER,
    "bucket.take.after": EITHER,
    "bucket.refund.before": EITHER,
    "bucket.refund.after": EITHER,
    "reserve.before": EITHER,
    "reserve.after": EITHER,
    "settle.before": EITHER,
    "settle.after": EITHER,
    "release.before": EITHER,
    "release.after": EITHER,
    "sweeper.found": EITHER,
    "sweeper.expired": EITHER,
    "idempotency.claim.before": EITHER,
    "idempotency.claim.after": EITHER,
    "idempotency.answered": EITHER,
    # On the wire.
    "rpc.received": EITHER,
    "rpc.handled": EITHER,
    "channel.call.before": EITHER,
    "channel.call.after": EITHER,
    "provider.call.before": EITHER,
    "provider.call.after": EITHER,
    "edge.admitted": GATEWAY,
    "edge.call.before": GATEWAY,
    "edge.call.after": GATEWAY,
    "edge.answered": GATEWAY,
    # Money; where every purchase is given up after its authorisation, it is let go.
    "saga.claimed": EITHER,
    "saga.leased": EITHER,
    "saga.authorize.before": EITHER,
    "saga.authorize.after": EITHER,
    "saga.capture.before": TOKEN,
    "saga.capture.after": TOKEN,
    "saga.allocate.before": TOKEN,
    "saga.allocate.after": TOKEN,
    "saga.move.before": EITHER,
    "saga.move.after": EITHER,
    "saga.void.before": SECOND,
    "saga.void.after": SECOND,
    "payment.step.before": STUBS,
    "payment.commit.before": STUBS,
    "payment.commit.after": STUBS,
    # Events.
    "outbox.leased": EITHER,
    "outbox.publish.before": EITHER,
    "outbox.publish.after": EITHER,
    "outbox.delivered": EITHER,
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
    # What is loaded only where a URL or a command asks for it.
    import_module("mesh.runtime")
    for module in ("mesh.storage.postgresql", "svc_token.stores.sql", "svc_analytics.stores.sql"):
        import_module(module)
    return frozenset(FAILPOINTS.declared)


if __name__ == "__main__":
    print("\n".join(sorted(declared())))
