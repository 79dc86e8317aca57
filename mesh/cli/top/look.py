"""Makes frames out of scrapes."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mesh.cli.top.frame import Breaker, Frame, Route, Row
from mesh.cli.top.increase import by_label, total
from mesh.cli.top.samples import Samples
from mesh.cli.top.scrape import Scrape
from mesh.cli.top.window import GRPC, REST, Window, routes, together

DOWN = "down"
_STATES = {0.0: "closed", 1.0: "half-open", 2.0: "open"}


@dataclass(slots=True)
class Look:
    """Remembers the last answer of each instance."""

    _before: dict[str, Scrape] = field(default_factory=dict)

    def frame(self, scrapes: Sequence[Scrape], *, at: str, problems: Iterable[str] = ()) -> Frame:
        """What they say, compared with those before."""
        windows = [self._window(scrape) for scrape in scrapes]
        self._before |= {one.target.name: one for one in scrapes if one.samples}
        told = [one.samples for one in scrapes if one.samples]
        whole = together(window for window in windows if window)
        merged = _merged(scrapes, windows)
        breakers = [(one, *each) for one in scrapes for each in _breakers(one.samples)]
        return Frame(
            at=at,
            seconds=whole.seconds if whole else math.nan,
            services=tuple(_services(scrapes, merged)),
            instances=tuple(map(_instance, scrapes, windows)),
            routes=tuple(_routes(merged)),
            breakers=tuple(
                Breaker(instance=one.target.name, name=name, state=state)
                for one, name, state in breakers
                if state != "closed"
            ),
            breakers_closed=sum(state == "closed" for *_, state in breakers),
            pools_low=_largest_by(told, "token_pools_low", "provider"),
            pools_overdrawn=_largest(told, "token_pools_overdrawn"),
            outbox_depth=_largest(told, "outbox_depth"),
            outbox_lag=_largest(told, "outbox_lag_seconds"),
            outbox_parked=_largest(told, "outbox_parked"),
            sagas_unfinished=_largest_by(told, "saga_unfinished", "step"),
            sagas_stale=_largest(told, "saga_stale"),
            sagas_ended=whole.rates("token_purchase_total", "status") if whole else {},
            problems=tuple(problems),
        )

    def _window(self, scrape: Scrape) -> Window | None:
        before, now = self._before.get(scrape.target.name), scrape.samples
        if before is None or before.samples is None or now is None or scrape.at <= before.at:
            return None
        # Another process has counted all of it since the one before was seen last.
        same = before.samples.started == now.started
        counted = before.samples if same else Samples(series={})
        return Window.between(counted, now, scrape.at - before.at)


def _instance(scrape: Scrape, window: Window | None) -> Row:
    target = scrape.target
    return Row(
        service=target.service,
        name=target.name,
        url=target.url or "",
        health=target.health if scrape.samples else DOWN,
        problem=scrape.problem,
        in_flight=total(scrape.samples.of("grpc_server_in_flight")) if scrape.samples else math.nan,
        **_rates(window),
    )


def _rates(window: Window | None) -> dict[str, Any]:
    """What a row says of the time between two scrapes."""
    unknown = math.nan
    return {
        "seconds": window.seconds if window else unknown,
        "rest": window.rest() if window else None,
        "grpc": window.grpc() if window else None,
        "shed": window.shed if window else unknown,
        "loop_lag": window.loop_lag if window else unknown,
    }


def _merged(
    scrapes: Sequence[Scrape], windows: Sequence[Window | None]
) -> Mapping[str, Window | None]:
    """All instances of each service as one."""
    return {
        service: together(
            window
            for one, window in zip(scrapes, windows, strict=True)
            if window and one.target.service == service
        )
        for service in dict.fromkeys(one.target.service for one in scrapes)
    }


def _services(scrapes: Sequence[Scrape], merged: Mapping[str, Window | None]) -> Iterable[Row]:
    for service, window in merged.items():
        own = [one for one in scrapes if one.target.service == service]
        up = [one for one in own if one.samples and one.target.health == "healthy"]
        told = [one.samples for one in own if one.samples]
        yield Row(
            service=service,
            name=service,
            url="",
            health=f"{len(up)} of {len(own)}",
            problem="",
            in_flight=sum(total(one.of("grpc_server_in_flight")) for one in told),
            **_rates(window),
        )


def _routes(merged: Mapping[str, Window | None]) -> list[Route]:
    """The busiest first: paths of the edge, RPCs of all others."""
    found = []
    for service, window in merged.items():
        if window is None:
            continue
        if service == "gateway":
            for name, part in routes(window, REST, ("method", "uri")).items():
                found.append(Route(service=service, name=name, calls=part.rest()))
        for name, part in routes(window, GRPC, ("grpc_service", "grpc_method")).items():
            shown = name.rpartition(".")[2].replace(" ", "/")
            found.append(Route(service=service, name=shown, calls=part.grpc()))
    return sorted(found, key=lambda one: (-one.calls.rate, one.service, one.name))


def _breakers(samples: Samples | None) -> list[tuple[str, str]]:
    told = samples.of("breaker_state") if samples else {}
    return sorted((dict(labels).get("name", ""), _STATES[value]) for labels, value in told.items())


def _largest(told: Iterable[Samples], name: str) -> float:
    """Over all processes; NaN where none knows."""
    values = [value for one in told for value in one.of(name).values() if not math.isnan(value)]
    return max(values, default=math.nan)


def _largest_by(told: Iterable[Samples], name: str, label: str) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for one in told:
        for key, value in by_label(one.of(name), label).items():
            found[key] = max(found.get(key, 0.0), value)
    return found
