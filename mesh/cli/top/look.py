"""Makes frames out of scrapes."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

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
        breakers = [(one, *each) for one in scrapes for each in _breakers(one.samples)]
        return Frame(
            at=at,
            seconds=whole.seconds if whole else math.nan,
            services=tuple(_services(scrapes, windows)),
            instances=tuple(map(_instance, scrapes, windows)),
            routes=tuple(_routes(scrapes, windows)),
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
        seconds=window.seconds if window else math.nan,
        rest=window.rest() if window else None,
        grpc=window.grpc() if window else None,
        in_flight=total(scrape.samples.of("grpc_server_in_flight")) if scrape.samples else math.nan,
        shed=window.shed if window else math.nan,
        loop_lag=window.loop_lag if window else math.nan,
    )


def _services(scrapes: Sequence[Scrape], windows: Sequence[Window | None]) -> Iterable[Row]:
    for service in dict.fromkeys(one.target.service for one in scrapes):
        own = [
            (one, window)
            for one, window in zip(scrapes, windows, strict=True)
            if one.target.service == service
        ]
        window = together(each for _, each in own if each)
        up = [one for one, _ in own if one.samples and one.target.health == "healthy"]
        told = [one.samples for one, _ in own if one.samples]
        yield Row(
            service=service,
            name=service,
            url="",
            health=f"{len(up)} of {len(own)}",
            problem="",
            seconds=window.seconds if window else math.nan,
            rest=window.rest() if window else None,
            grpc=window.grpc() if window else None,
            in_flight=sum(total(one.of("grpc_server_in_flight")) for one in told),
            shed=window.shed if window else math.nan,
            loop_lag=window.loop_lag if window else math.nan,
        )


def _routes(scrapes: Sequence[Scrape], windows: Sequence[Window | None]) -> list[Route]:
    """The busiest first: paths of the edge, RPCs of all others."""
    found = []
    for service in dict.fromkeys(one.target.service for one in scrapes):
        pairs = zip(scrapes, windows, strict=True)
        window = together(each for one, each in pairs if each and one.target.service == service)
        if window is None:
            continue
        for name, chosen in routes(window, REST, ("method", "uri")).items():
            if service == "gateway":
                found.append(Route(service=service, name=name, calls=window.rest(chosen)))
        for name, chosen in routes(window, GRPC, ("grpc_service", "grpc_method")).items():
            shown = name.rpartition(".")[2].replace(" ", "/")
            found.append(Route(service=service, name=shown, calls=window.grpc(chosen)))
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
