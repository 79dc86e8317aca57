"""A process that delivers the outbox, as far as stores and receivers can tell."""

from mesh.clock import Clock, RandomIds
from svc_token.ports import EventSink, Leases, Outbox
from svc_token.usecases.hold_shards import HoldShards
from svc_token.usecases.relay_outbox import RelayOutbox


def relay_of(
    outbox: Outbox, leases: Leases, sink: EventSink, clock: Clock, holder: str = ""
) -> RelayOutbox:
    """A new process, whose `relay.hold` has its leases."""
    hold = HoldShards(leases=leases, clock=clock, holder=holder or RandomIds().new())
    return RelayOutbox(outbox=outbox, sink=sink, hold=hold, clock=clock)
