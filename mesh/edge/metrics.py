"""How long requests took; every label comes from a closed set."""

from typing import Any

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from mesh.resilience.adaptive_limit import AdaptiveLimit
from mesh.telemetry.tally import Counter, Gauge, Histogram

URI_KEY = "leaky.uri"
_VERBS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SECONDS = Histogram(
    "http_server_requests_seconds",
    "Seconds from a request's head to the end of its response, by route template.",
    ("uri", "method", "status"),
    buckets=_BUCKETS,
)
SHED = Counter("http_server_shed_total", "Requests refused because too many were in flight.")
IN_FLIGHT = Gauge("http_server_in_flight", "Requests being served.")
LIMIT = Gauge("http_server_in_flight_limit", "How many may be, by how late the event loop is.")
_children: dict[tuple[str, str, int], Histogram] = {}


class CountedRoute(Route):
    """A plain route that is counted by its path; FastAPI names only its own."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        scope[URI_KEY] = self.path
        await super().handle(scope, receive, send)


def observe(scope: Scope, status: int, seconds: float) -> None:
    """Counts one request; 499 stands for a client that left before its answer."""
    key = (uri_of(scope), verb_of(scope), status or 499)
    child = _children.get(key)
    if child is None:
        child = _children[key] = SECONDS.labels(key[0], key[1], str(key[2]))
    child.observe(seconds)


def verb_of(scope: Scope) -> str:
    """The request's method, or "other" for one that HTTP does not have."""
    verb: str = scope["method"]
    return verb if verb in _VERBS else "other"


def uri_of(scope: Scope) -> str:
    """The route's template, or "other" for a path that none has."""
    known = scope.get(URI_KEY)
    if known is not None:
        return str(known)
    route: Any = scope.get("route")
    # Of a transcoder that refused the verb, or of nothing at all: no template.
    return str(getattr(route, "path", "other"))


def watch_limit(limit: AdaptiveLimit) -> None:
    """Has the gauges tell of the limit on what this process serves."""
    IN_FLIGHT.set_function(lambda: limit.in_flight)
    LIMIT.set_function(lambda: limit.limit)
