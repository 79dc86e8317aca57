"""Which of the deadlines.* settings bounds a method."""

from typing import Any

from leaky.edge.v1.options_pb2 import DEADLINE_CONSUME, DEADLINE_NONE, DEADLINE_PURCHASE
from mesh.rpc.method import Method
from mesh.settings import Deadlines

# A call may be cut by so much early; who serves it keeps back more than that, to answer first.
SLOTS_PER_SECOND = 256


def limit(method: Method[Any, Any], deadlines: Deadlines, *, at_edge: bool) -> float:
    """Seconds that a call may take; infinite for a watch."""
    kind = method.deadline
    if kind == DEADLINE_CONSUME:
        return deadlines.consume
    if kind == DEADLINE_PURCHASE:
        return deadlines.purchase
    if kind == DEADLINE_NONE:
        return float("inf")
    return deadlines.edge if at_edge else deadlines.mesh
