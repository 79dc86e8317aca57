"""Days and hours, counted from the epoch."""

import itertools
from collections.abc import Iterable, Iterator

from svc_analytics.domain.window import MINUTE_US, Window

HOUR_US = 60 * MINUTE_US
HOURS = 24
DAY_US = HOURS * HOUR_US


def day_of(at_us: int) -> int:
    """The day of a moment."""
    return at_us // DAY_US


def hour_of(at_us: int) -> int:
    """The hour of a moment."""
    return at_us // HOUR_US


def hour_window(hour: int) -> Window:
    """From the hour's first microsecond up to the next hour's."""
    return Window(start_us=hour * HOUR_US, end_us=(hour + 1) * HOUR_US)


def touches(window: Window, day: int) -> bool:
    """Whether the day and the window share a moment."""
    return day_of(window.start_us) <= day <= day_of(window.end_us - 1)


def within(outer: Window, inner: Window) -> bool:
    """Whether nothing of the inner lies outside."""
    return outer.start_us <= inner.start_us and inner.end_us <= outer.end_us


def spans(hours: Iterable[int], window: Window) -> Iterator[Window]:
    """What the hours and the window share, hours that follow each other as one; ascending."""
    # Hours that follow each other keep their distance to their place in the order.
    ordered = enumerate(sorted(hours))
    for _, run in itertools.groupby(ordered, key=lambda pair: pair[1] - pair[0]):
        together = [hour for _, hour in run]
        yield Window(
            start_us=max(hour_window(together[0]).start_us, window.start_us),
            end_us=min(hour_window(together[-1]).end_us, window.end_us),
        )


def overlap(one: Window, other: Window) -> bool:
    """Whether they share a moment."""
    return one.start_us < other.end_us and other.start_us < one.end_us
