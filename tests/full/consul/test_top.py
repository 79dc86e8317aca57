"""`leaky top` finds instances in Consul: those that answer, those that do not, and none."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.full.consul.guarded import Guarded, leaky
from tests.mesh.cli.top.exposition import Told
from tests.parts.urls import CONSUL, url

pytestmark = pytest.mark.skipif(not url(CONSUL), reason="no Consul runs")


@contextmanager
def telling(told: Told) -> Iterator[int]:
    """/metrics on a port, which is returned."""

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.called("GetQuota", 0.05, times=10)
            body = told.text.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 its name
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def registered(guarded: Guarded, name: str, port: int, status: str) -> Iterator[None]:
    check = {"TCP": "127.0.0.1:1", "Interval": "60s", "Status": status}
    entry = {
        "Name": "token",
        "ID": name,
        "Address": "127.0.0.1",
        "Port": 1,
        "Meta": {"metrics_port": str(port)},
        "Check": check,
    }
    guarded.ask("management", "PUT", "agent/service/register", entry).raise_for_status()
    try:
        yield
    finally:
        path = f"agent/service/deregister/{name}"
        guarded.ask("management", "PUT", path).raise_for_status()


def frame(guarded: Guarded, *words: str) -> Any:
    done = leaky("top", "--once", "--json", *words, LEAKY_REGISTRY=guarded.registry)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_instances_are_those_that_consul_knows_well_or_not(guarded: Guarded) -> None:
    with (
        telling(Told()) as port,
        registered(guarded, "token-a", port, "passing"),
        registered(guarded, "token-b", 1, "critical"),
    ):
        token = guarded.file("operator")
        found = frame(guarded, "--interval", "0.5", "--token-file", str(token))
    instances = {one["name"]: one for one in found["instances"]}
    up, down = instances["token-a"], instances["token-b"]
    assert (up["health"], down["health"]) == ("healthy", "down")
    assert up["grpc"]["rate"] * up["seconds"] == pytest.approx(10)
    assert down["problem"]
    assert instances["gateway"]["problem"] == "no REST port is known"
    services = {one["name"]: one["health"] for one in found["services"]}
    assert services["token"] == "1 of 2"


def test_a_token_that_may_not_look_is_refused_in_one_line(guarded: Guarded) -> None:
    secret = "11111111-2222-3333-4444-555555555555"
    refused = leaky(
        *("top", "--once"), LEAKY_REGISTRY=guarded.registry, LEAKY_GATEWAY_CONSUL_TOKEN=secret
    )
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert secret not in refused.stderr
