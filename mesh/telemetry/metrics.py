"""What calls did and how long they took; labels come from descriptors and codes alone.

The names follow go-grpc-middleware's, which common dashboards know.
"""

from typing import Any

import grpc

from mesh.rpc.method import Method
from mesh.telemetry.tally import Counter, Histogram

_LABELS = ("grpc_service", "grpc_method", "grpc_code")
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class CallMetrics:
    """One side's counter and histogram; their children are looked up once a method and code."""

    def __init__(self, side: str) -> None:
        self._handled = Counter(
            f"grpc_{side}_handled_total", f"Calls that ended at the {side}, by code.", _LABELS
        )
        self._seconds = Histogram(
            f"grpc_{side}_handling_seconds",
            f"Seconds from a call's start to its end at the {side}.",
            _LABELS,
            buckets=_BUCKETS,
        )
        # By the code's identity, which it has for good: its hash is two calls of Python.
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def observe(self, method: Method[Any, Any], code: grpc.StatusCode, seconds: float) -> None:
        """Counts one call that has ended."""
        key = (method.path, id(code))
        known = self._known.get(key)
        if known is None:
            labels = (method.service, method.name, code.name)
            known = (self._handled.labels(*labels), self._seconds.labels(*labels))
            self._known[key] = known
        known[0].inc()
        known[1].observe(seconds)


SERVER = CallMetrics("server")
CLIENT = CallMetrics("client")
