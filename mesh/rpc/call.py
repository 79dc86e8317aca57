"""What surrounds one request while it is being served."""

import math
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from mesh.identity.principal import NOBODY, Principal
from mesh.rpc.method import Method

# How a service tells the next one who sent the request that it works on. A client
# cannot say it in `secure`: there it is read from services alone.
CLIENT_ADDRESS = "x-internal-client-address"


@dataclass(slots=True, kw_only=True)
class Call:
    """One call: filled in by the interceptors, read by servicers and channels.

    `deadline` is on the event loop's clock, in seconds; infinite for watches.
    Metadata keys are lower case.
    """

    method: Method[Any, Any]
    metadata: Mapping[str, str]
    deadline: float = math.inf
    principal: Principal = NOBODY
    # The service that the connection proves, such as "token"; empty for none.
    caller: str = ""
    # Where the client is that all began with; empty when unknown.
    client_address: str = ""
    correlation_id: str = ""
    # W3C trace context: the trace's id, the headers to hand on, and whether it is followed.
    trace_id: str = ""
    traceparent: str = ""
    tracestate: str = ""
    sampled: bool = False


CURRENT: ContextVar[Call | None] = ContextVar("leaky_call", default=None)
