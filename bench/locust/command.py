"""The command line and environment of the Locust process."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.locust.options import Options
from bench.locust.scenario import SCENARIOS
from bench.processes import ROOT

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
# What is in flight at the end is waited for, so that nothing fails by being cut off.
_STOP_SECONDS = 20


def command(options: Options, scenario: str, figures: Path, accounts: Path | None) -> list[str]:
    """What to run for one scenario; its figures are written to the file at the end.

    Without a file of accounts the users find out, or make, whom they act for.
    """
    chosen = SCENARIOS[scenario]
    # However long all stand still: none is refused for how many come at once.
    most = chosen.most if options.up else None
    users = options.users if most is None else min(options.users, most)
    mode = ["--web-host", "127.0.0.1", "--web-port", str(options.web_port), "--autoquit", "1"]
    if not options.web:
        mode = ["--headless", "--only-summary", "--loglevel", "WARNING"]
    return [
        *(sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), chosen.user),
        *(*mode, "--users", str(users), "--spawn-rate", f"{options.ramp:g}"),
        *("--run-time", options.duration, "--host", options.base_url.rstrip("/")),
        *("--stop-timeout", str(_STOP_SECONDS), "--user-id", options.credentials.user_id),
        *("--provider", options.provider, "--tokens", str(options.tokens)),
        *("--limit", str(options.limit), "--rate", f"{options.rate or chosen.rate:g}"),
        *("--grpc-target", options.grpc_target, "--leaf", options.leaf),
        *("--batch", str(options.batch), "--figures", str(figures)),
        *("--accounts", str(accounts or "")),
    ]


def environment(options: Options) -> Mapping[str, str]:
    """Ours, with the credentials, which a command line would show to all of the machine."""
    who = options.credentials
    given = {
        "LEAKY_LOAD_API_KEY": who.api_key,
        "LEAKY_LOAD_BEARER_TOKEN": who.bearer_token,
        "LEAKY_LOAD_USERNAME": who.username,
        "LEAKY_LOAD_PASSWORD": who.password,
    }
    clean = {key: value for key, value in os.environ.items() if key not in given}
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {
        **clean,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        **{key: value for key, value in given.items() if value},
    }
