"""`leaky top` in a real terminal, under load, beside a real Prometheus on the same system."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.system import System, until
from tests.full.top.frames import Shown, watch
from tests.full.top.terminal import top
from tests.ports import free_ports

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif("PARTS_DIR" not in os.environ, reason="run by make test-full"),
]
INTERVAL = 3.0
CALLS = 400
PATH = "/api/v1/tokens/status"
SERVICES = ("gateway", "token", "analytics", "auth", "stubs.openai")
OF_THE_EDGE = '{service="gateway",uri!~"/metrics|/actuator.*"}'
COUNT = f"sum(http_server_requests_seconds_count{OF_THE_EDGE})"
BUCKETS = f"http_server_requests_seconds_bucket{OF_THE_EDGE}"


def p95_since(then: float) -> str:
    """In milliseconds. Not of increase(), which extrapolates each bucket by itself."""
    more = f"sum by (le) ({BUCKETS}) - sum by (le) ({BUCKETS} @ {then:.3f})"
    return f"1000 * histogram_quantile(0.95, {more})"


@contextmanager
def prometheus(folder: Path, system: System) -> Iterator[httpx.Client]:
    """One that asks each second."""
    folder.mkdir()
    [port] = free_ports(1)
    targets = "".join(
        f"      - {{targets: [{system.url(name)[7:]!r}], labels: {{service: {name[:9]}}}}}\n"
        for name in SERVICES
    )
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\nscrape_configs:\n"
        f"  - job_name: leaky\n    static_configs:\n{targets}"
    )
    words = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    address = f"127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            ["prometheus", *words, f"--web.listen-address={address}"],  # noqa: S607 Debian's
            stdout=log,
            stderr=log,
        )
    try:
        with httpx.Client(base_url=f"http://{address}", timeout=10) as client:
            yield client
    finally:
        process.terminate()
        process.wait(30)


def asked(client: httpx.Client, query: str) -> float | None:
    """A query's one number; None where it has none, or Prometheus is not there yet."""
    try:
        found: Any = client.get("/api/v1/query", params={"query": query}).json()["data"]["result"]
    except (httpx.TransportError, ValueError, KeyError):
        return None
    return float(found[0]["value"][1]) if found else None


def load(url: str) -> None:
    """So many requests, by four at once."""

    def some() -> None:
        with httpx.Client(base_url=url, timeout=30) as client:
            for _ in range(CALLS // 4):
                client.get(PATH).raise_for_status()

    threads = [threading.Thread(target=some) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def calls(frames: list[Shown]) -> float:
    return sum(each.calls for each in frames)


def test_under_load_it_says_what_prometheus_says(tmp_path: Path) -> None:
    limit = {"LEAKY_GATEWAY_RATE_LIMIT_ROUTES_API_V1_TOKENS": "1000000"}
    with (
        System(tmp_path / "data", limit).up() as system,
        prometheus(tmp_path / "prometheus", system) as client,
        top(tmp_path, system.env, INTERVAL) as terminal,
    ):
        # What begins under load would have no value before it.
        httpx.get(system.url() + PATH, timeout=30).raise_for_status()
        watch(terminal, "gateway", lambda seen: bool(seen) and seen[-1].rate == 0)
        until(lambda: asked(client, COUNT) == 1, 60)
        before = time.time()
        loading = threading.Thread(target=load, args=(system.url(),))
        loading.start()
        frames = watch(
            terminal, "gateway", lambda seen: calls(seen) > CALLS / 2 and seen[-1].rate == 0
        )
        loading.join()
        until(lambda: asked(client, COUNT) == 1 + CALLS, 60)
        p95 = asked(client, p95_since(before))
        assert p95 is not None
        # What is shown is rounded to a tenth, of a second and of a call a second.
        assert calls(frames) == pytest.approx(CALLS, rel=0.05)
        shown = [each.p95 for each in frames if each.p95 is not None]
        assert min(shown) - 0.1 <= p95 <= max(shown) + 0.1
        screen = terminal.shown
        for name in ("gateway", "token", "analytics", "auth", "stubs", "breakers", "outbox"):
            assert name in screen, screen
        terminal.press("C-c")
        until(lambda: "ended with 0" in terminal.shown, 30)
