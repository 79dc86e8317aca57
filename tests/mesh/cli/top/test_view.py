import math

from rich.console import Console

from mesh.cli.top.frame import Frame
from mesh.cli.top.look import Look
from mesh.cli.top.view import number, seconds, view
from tests.mesh.cli.top.exposition import Told, scraped


def shown(frame: Frame, width: int = 160) -> str:
    console = Console(width=width, markup=False, highlight=False)
    with console.capture() as capture:
        console.print(view(frame))
    return capture.get()


def test_units_are_told_and_the_unknown_is_a_dash() -> None:
    assert [number(math.nan), seconds(math.nan)] == ["-", "-"]
    assert [number(12.345), number(3, 0)] == ["12.3", "3"]
    assert [seconds(0.01234), seconds(2.5)] == ["12.3 ms", "2.50 s"]


def test_a_frame_of_nothing_known_is_shown() -> None:
    text = shown(Look().frame([scraped(None, 0.0)], at="2026-01-01T00:00:00Z"))
    assert "2026-01-01T00:00:00Z" in text
    assert "down" in text
    assert "connection refused" in text
    assert "low: -; overdrawn: -" in text


def test_everything_that_is_wrong_is_named() -> None:
    told, other, look = Told(), Told(), Look()
    look.frame([scraped(told, 0.0), scraped(other, 0.0, name="token.2")], at="")
    told.called("GetQuota", 0.05, times=4)
    told.gauge("breaker_state", 2, name="auth/credentials")
    told.gauge("token_pools_low", 3, provider="qwen")
    told.gauge("token_pools_overdrawn", 1)
    told.gauge("outbox_depth", 9)
    told.gauge("outbox_lag_seconds", 61)
    told.gauge("outbox_parked", 2)
    told.gauge("saga_unfinished", 5, step="capture")
    told.gauge("saga_stale", 1)
    frame = look.frame(
        [scraped(told, 2.0), scraped(other, 2.0, name="token.2")],
        at="",
        problems=["Consul is away"],
    )
    text = shown(frame)
    for part in (
        *("Consul is away", "token (all)", "2 of 2", "QuotaService/GetQuota"),
        *("auth/credentials is open in token", "low: qwen 3; overdrawn: 1"),
        *("9 waiting, the oldest for 61.00 s; 2 parked", "under way: capture 5"),
        "standing still: 1",
    ):
        assert part in text, part


def test_in_a_narrow_terminal_no_figure_is_cut() -> None:
    told, look = Told(), Look()
    name = "token-192.168.100.200-19082"
    look.frame([scraped(told, 0.0, name=name)], at="")
    told.called("GetQuota", 0.5, times=4_000)
    text = shown(look.frame([scraped(told, 2.0, name=name)], at=""), width=72)
    assert "…" not in text
    assert "2000.0" in text
    assert max(map(len, text.splitlines())) <= 72
