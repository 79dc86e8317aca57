"""What Locust loads: the scenarios as classes of users, and what may be chosen.

`python -m bench.locust` runs it; `locust -f bench/locust/locustfile.py Consume` in
the repository's folder does, too.
"""

import json
from pathlib import Path
from typing import Any

from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.stats import StatsEntry

from bench.locust.scenarios import (
    AnalyticsQuery,
    Consume,
    Login,
    Purchase,
    QuotaCheck,
    UsagePublish,
)

__all__ = ["AnalyticsQuery", "Consume", "Login", "Purchase", "QuotaCheck", "UsagePublish"]

_PERCENTILES = (0.5, 0.95, 0.99)


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _arguments(parser: LocustArgumentParser) -> None:
    add = parser.add_argument
    for name in ("api-key", "bearer-token", "password"):
        variable = f"LEAKY_LOAD_{name.upper().replace('-', '_')}"
        add(f"--{name}", env_var=variable, default="", is_secret=True)
    add("--username", env_var="LEAKY_LOAD_USERNAME", default="")
    add("--user-id", default="", help="default whose credential it is")
    add("--provider", default="openai")
    add("--tokens", type=int, default=3, help="of a consume or purchase")
    add("--limit", type=int, default=20, help="of listed events")
    add("--rate", type=float, default=1.0, help="tasks a second and user")
    add("--grpc-target", default="", help="svc_analytics; default port 9083 of the host")
    add("--leaf", default="", help="folder of svc_token's leaf, which `secure` wants")
    add("--batch", type=int, default=20, help="events a publish")
    add("--accounts", default="", include_in_web_ui=False, help="file with whom users act for")
    add("--figures", default="", include_in_web_ui=False, help="file for the figures, as JSON")


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _write(environment: Environment, **_: Any) -> None:
    options = environment.parsed_options
    if options is None or not options.figures:
        return
    stats = environment.stats
    seconds = (stats.last_request_timestamp or 0) - (stats.start_time or 0)
    told = {
        "seconds": max(seconds, 0.0),
        "calls": [_call(entry) for _, entry in sorted(stats.entries.items())],
        "failures": [
            {"call": error.name, "error": str(error.error), "times": error.occurrences}
            for error in stats.errors.values()
        ],
    }
    Path(options.figures).write_text(json.dumps(told))


def _call(entry: StatsEntry) -> dict[str, Any]:
    p50, p95, p99 = (entry.get_response_time_percentile(q) for q in _PERCENTILES)
    return {
        "call": entry.name,
        "requests": entry.num_requests,
        "failures": entry.num_failures,
        "p50": p50,
        "p95": p95,
        "p99": p99,
        "max": entry.max_response_time,
        "mean": entry.avg_response_time,
    }
