"""What has happened in one process, or several, between two scrapes."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mesh.cli.top.frame import Calls
from mesh.cli.top.increase import Chosen, added, by_label, everything, increase, total
from mesh.cli.top.quantile import buckets, quantile
from mesh.cli.top.samples import Labels, Samples, Series

REST, GRPC = "http_server_requests_seconds", "grpc_server_handling_seconds"
LOOP_LAG = "event_loop_lag_seconds"
_SHED = ("grpc_server_shed_total", "http_server_shed_total")
_WATCHED = ("_bucket", "_count")
# What a server has to answer for; a caller's own mistakes and refusals are none.
_FAULTS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
_WATCHERS = ("/metrics", "/actuator")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Increases of counters by name, and over how many seconds."""

    seconds: float
    increases: Mapping[str, Mapping[Labels, float]]

    @classmethod
    def between(cls, before: Samples, after: Samples, seconds: float) -> "Window":
        """Of one process; `before` is empty for one that has started in between."""
        names = [name for name in after.series if name.endswith((*_WATCHED, "_total"))]
        return cls(
            seconds=seconds,
            increases={name: increase(before.of(name), after.of(name)) for name in names},
        )

    def of(self, name: str) -> Series:
        """The increases of a name."""
        return self.increases.get(name, {})

    def rate(self, name: str) -> float:
        """A second."""
        return total(self.of(name)) / self.seconds

    def rates(self, name: str, label: str) -> dict[str, float]:
        """A second, by a label's values."""
        return {key: sum_ / self.seconds for key, sum_ in by_label(self.of(name), label).items()}

    @property
    def shed(self) -> float:
        """Calls and requests a second that were refused because too many were in flight."""
        return sum(map(self.rate, _SHED))

    @property
    def loop_lag(self) -> float:
        """The 99th percentile, in seconds; NaN where it is not told."""
        return quantile(0.99, buckets(self.of(f"{LOOP_LAG}_bucket"), everything))

    def rest(self) -> Calls:
        """The requests, without those of who watches: /metrics and /actuator."""
        return self._calls(REST, lambda one: not _watches(one), _failed_request)

    def grpc(self) -> Calls:
        """The calls that were served."""
        return self._calls(GRPC, everything, _failed_call)

    def _calls(self, name: str, chosen: Chosen, failed: Chosen) -> Calls:
        counts, observed = self.of(f"{name}_count"), self.of(f"{name}_bucket")
        number = total(counts, chosen)
        wrong = total(counts, lambda one: chosen(one) and failed(one))
        spread = buckets(observed, chosen)
        return Calls(
            rate=number / self.seconds,
            errors=wrong / number if number else math.nan,
            p50=quantile(0.5, spread),
            p95=quantile(0.95, spread),
            p99=quantile(0.99, spread),
        )


def together(windows: Iterable[Window]) -> Window | None:
    """Of several processes as one; None for none.

    Their scrapes are not of one moment: each one's increase is brought to the same time.
    """
    known = list(windows)
    if not known:
        return None
    seconds = max(window.seconds for window in known)
    names = {name for window in known for name in window.increases}
    return Window(
        seconds=seconds,
        increases={
            name: added(_scaled(window.of(name), seconds / window.seconds) for window in known)
            for name in names
        },
    )


def _scaled(series: Series, factor: float) -> dict[Labels, float]:
    return {labels: value * factor for labels, value in series.items()}


def routes(window: Window, name: str, labels: tuple[str, str]) -> dict[str, Window]:
    """What happened on each route that was called, by its two labels as one name."""
    found: dict[str, dict[str, dict[Labels, float]]] = {}
    for kind in (f"{name}{each}" for each in _WATCHED):
        for series, value in window.of(kind).items():
            read = dict(series)
            if not _watches(read) and all(label in read for label in labels):
                route = found.setdefault(" ".join(read[label] for label in labels), {})
                route.setdefault(kind, {})[series] = value
    parts = {key: Window(seconds=window.seconds, increases=each) for key, each in found.items()}
    return {key: each for key, each in parts.items() if total(each.of(f"{name}_count"))}


def _watches(labels: Mapping[str, str]) -> bool:
    return labels.get("uri", "").startswith(_WATCHERS)


def _failed_request(labels: Mapping[str, str]) -> bool:
    return labels.get("status", "").startswith("5")


def _failed_call(labels: Mapping[str, str]) -> bool:
    return labels.get("grpc_code", "") in _FAULTS
