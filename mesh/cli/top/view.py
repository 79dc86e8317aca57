"""A frame as a terminal shows it."""

import math
from collections.abc import Iterable, Iterator, Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mesh.cli.top.frame import Calls, Frame, Row

UNKNOWN = "-"
MOST_ROUTES = 12
_NUMBERS = ("calls/s", "err %", "p50 ms", "p95 ms", "p99 ms")
_FIRST = {"gateway": "REST"}
_WELL = "healthy"


def view(frame: Frame) -> RenderableType:
    """What matters first, as a small terminal cuts off the end."""
    parts: list[RenderableType] = [Text(_title(frame))]
    parts += [Text(problem, style="bold red") for problem in frame.problems]
    parts += [_instances(frame), *_down(frame), Text(), *_states(frame)]
    if frame.routes:
        parts += [Text(), _routes(frame)]
    return Group(*parts)


def number(value: float, digits: int = 1) -> str:
    """With so many digits; NaN as unknown."""
    return UNKNOWN if math.isnan(value) else f"{value:.{digits}f}"


def seconds(value: float) -> str:
    """Milliseconds below a second."""
    if math.isnan(value):
        return UNKNOWN
    if value >= 1:
        return f"{value:.2f} s"
    return f"{value * 1000:.1f} ms"


def _milliseconds(value: float) -> str:
    return number(value * 1000)


def _title(frame: Frame) -> str:
    over = "rates from the next frame on"
    if not math.isnan(frame.seconds):
        over = f"rates over {frame.seconds:.1f} s"
    return f"leaky top  {frame.at}  {over}"


def _table(*head: str, left: int) -> Table:
    """With so many columns of text; the first is wrapped where there is little room."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for at, name in enumerate(head):
        table.add_column(
            name, justify="left" if at < left else "right", no_wrap=at > 0, overflow="fold"
        )
    return table


def _down(frame: Frame) -> Iterator[Text]:
    for row in frame.instances:
        if row.problem:
            yield Text(f"{row.name} is {row.health}: {row.problem}", style="bold red")


def _instances(frame: Frame) -> Table:
    table = _table(*("instance", "health", "", *_NUMBERS, "busy", "shed/s", "loop ms"), left=3)
    for service in frame.services:
        own = [row for row in frame.instances if row.service == service.service]
        if len(own) > 1:
            _add(table, service, f"{service.name} (all)")
        for row in own:
            _add(table, row, row.name)
    return table


def _add(table: Table, row: Row, name: str) -> None:
    kinds = {"REST": row.rest, "gRPC": row.grpc}
    first = _FIRST.get(row.service, "gRPC")
    # Of a service: "2 of 3".
    well, _, all_ = row.health.partition(" of ")
    style = "" if row.health == _WELL or well == all_ else "bold red"
    rest = (number(row.in_flight, 0), number(row.shed), _milliseconds(row.loop_lag))
    table.add_row(name, row.health, first, *_calls(kinds.pop(first)), *rest, style=style)
    for kind, calls in kinds.items():
        if calls is not None and calls.rate:
            table.add_row("", "", kind, *_calls(calls), style=style)


def _calls(calls: Calls | None) -> Iterator[str]:
    if calls is None:
        return iter((UNKNOWN,) * len(_NUMBERS))
    quantiles = (calls.p50, calls.p95, calls.p99)
    return iter((number(calls.rate), number(calls.errors * 100), *map(_milliseconds, quantiles)))


def _states(frame: Frame) -> Iterable[Text]:
    overdrawn = frame.pools_overdrawn > 0
    pools = f"pools     low: {_by_name(frame.pools_low)}; overdrawn: "
    yield _breakers(frame)
    yield Text(pools + number(frame.pools_overdrawn, 0), style="bold red" if overdrawn else "")
    yield Text(
        f"outbox    {number(frame.outbox_depth, 0)} waiting, the oldest for"
        f" {seconds(frame.outbox_lag)}; {number(frame.outbox_parked, 0)} parked",
        style="bold red" if frame.outbox_parked > 0 else "",
    )
    yield Text(
        f"sagas     under way: {_by_name(frame.sagas_unfinished)};"
        f" standing still: {number(frame.sagas_stale, 0)};"
        f" ended a second: {_by_name(frame.sagas_ended, 1)}",
        style="bold red" if frame.sagas_stale > 0 else "",
    )


def _breakers(frame: Frame) -> Text:
    shown = [f"{one.name} is {one.state} in {one.instance}" for one in frame.breakers]
    text = "; ".join([*shown, f"{frame.breakers_closed} closed"])
    return Text(f"breakers  {text}", style="bold red" if shown else "")


def _by_name(values: Mapping[str, float], digits: int = 0) -> str:
    shown = [f"{name} {number(value, digits)}" for name, value in values.items() if value]
    return ", ".join(shown) or ("none" if values else UNKNOWN)


def _routes(frame: Frame) -> Table:
    table = _table("route", "service", *_NUMBERS, left=2)
    for route in frame.routes[:MOST_ROUTES]:
        table.add_row(route.name, route.service, *_calls(route.calls))
    return table
