"""Finds a trace in Jaeger, prints it as a tree, and says which of its hops are missing.

Arguments: Jaeger's URL, the trace's id, the id of the span that it was begun under outside,
how many seconds to wait for it, and hops wanted besides the usual ones: redis, kafka.
Exits 0 when all are there and connected. Needs nothing but Python.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

SQL = {"sqlite", "postgresql"}


@dataclass(frozen=True)
class Span:
    """A span as Jaeger's API has it; `parent` is empty for the first of a trace."""

    trace: str
    id: str
    parent: str
    links: tuple[str, ...]
    service: str
    name: str
    start_us: int
    micros: int
    tags: dict[str, Any]

    @property
    def serves(self) -> bool:
        """Whether it is a call that its service answers."""
        return self.tags.get("span.kind") == "server"


HOPS: dict[str, Callable[[Span], bool]] = {
    "edge": lambda one: one.service == "gateway" and one.serves,
    "auth": lambda one: one.service == "auth" and one.serves,
    "token": lambda one: one.service == "token" and one.serves,
    "sql": lambda one: one.service == "token" and one.tags.get("db.system.name") in SQL,
    "provider": lambda one: one.name.startswith("chat ") and one.service == "token",
    "redis": lambda one: one.tags.get("db.system.name") == "redis",
    "kafka": lambda one: one.tags.get("messaging.system") == "kafka",
}
USUAL = ("edge", "auth", "token", "sql", "provider")
WHY = {"auth": "did the edge know the key already? use one that it has not seen for a while"}


def main(arguments: Sequence[str]) -> int:
    """0, or 1 when something is missing."""
    url, trace, outside, seconds, *more = arguments
    deadline = time.monotonic() + float(seconds)
    while True:
        spans = list(spans_of(ask(url, f"/api/traces/{trace}")))
        linked = [one for one in analytics(url) if trace in one.links]
        wrong = [*missing(spans, linked, more), *disconnected(spans, outside)]
        if not wrong or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    print(f"trace {trace}: {len(spans)} spans")
    for line in tree(spans, outside):
        print(line)
    for one in linked:
        print(f"linked: {one.service}  {one.name}  {one.micros / 1000:.1f} ms")
    for line in wrong:
        print(f"verify-tracing: {line}", file=sys.stderr)
    return 1 if wrong else 0


def ask(url: str, path: str) -> list[dict[str, Any]]:
    """The traces of an answer; none for one that Jaeger does not know yet."""
    try:
        with urlopen(url.rstrip("/") + path, timeout=15) as answer:  # noqa: S310 as it was given
            return list(json.load(answer)["data"])
    except HTTPError as error:
        if error.code != 404:  # noqa: PLR2004
            raise
        return []


def analytics(url: str) -> list[Span]:
    """The latest of what analytics has taken in."""
    path = "/api/traces?service=analytics&operation=process%20usage&limit=500&lookback=1h"
    return list(spans_of(ask(url, path)))


def spans_of(traces: list[dict[str, Any]]) -> Iterator[Span]:
    """All spans, in the order in which they began."""
    for trace in traces:
        for span in sorted(trace["spans"], key=lambda one: int(one["startTime"])):
            yield _span(span, trace["processes"])


def _span(span: dict[str, Any], processes: dict[str, Any]) -> Span:
    references = span.get("references") or []
    within = [
        one["spanID"]
        for one in references
        if one["refType"] == "CHILD_OF" and one["traceID"] == span["traceID"]
    ]
    return Span(
        trace=span["traceID"],
        id=span["spanID"],
        parent=within[0] if within else "",
        links=tuple(one["traceID"] for one in references if one["refType"] == "FOLLOWS_FROM"),
        service=processes[span["processID"]]["serviceName"],
        name=span["operationName"],
        start_us=span["startTime"],
        micros=span["duration"],
        tags={tag["key"]: tag["value"] for tag in span["tags"]},
    )


def missing(spans: list[Span], linked: list[Span], more: Sequence[str]) -> Iterator[str]:
    """The hops that are not there."""
    for hop in (*USUAL, *more):
        if not any(map(HOPS[hop], spans)):
            why = f" ({WHY[hop]})" if hop in WHY else ""
            yield f"the hop {hop} is missing{why}"
    if not linked:
        yield "the hop analytics is missing: nothing there links to the trace"


def disconnected(spans: list[Span], outside: str) -> Iterator[str]:
    """What hangs in the air; the edge alone is under the span that was given from outside."""
    known = {one.id for one in spans}
    for one in spans:
        if one.parent == outside and not HOPS["edge"](one):
            yield f"{one.service} {one.name} is not under the edge"
        elif one.parent != outside and one.parent not in known:
            yield f"{one.service} {one.name} has lost its parent"
    if spans and sum(one.parent == outside for one in spans) != 1:
        yield "it is not one tree"


def tree(spans: list[Span], parent: str, depth: int = 0) -> Iterator[str]:
    """A line a span, each below what it is part of."""
    for one in spans:
        if one.parent == parent:
            what = f"{'  ' * depth}{one.service}  {one.name}"
            yield f"{what:<72} {one.micros / 1000:8.1f} ms"
            yield from tree(spans, one.id, depth + 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
