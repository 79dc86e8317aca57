"""What the figures were taken on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

from bench.options import Options


def describe(options: Options) -> dict[str, str]:
    """By name."""
    cores = len(os.sched_getaffinity(0))
    apart = options.server_core != options.load_core
    return {
        "CPU": f"{model()}, {cores} cores",
        "cores": f"servers on {options.server_core}, load on {options.load_core}"
        + ("" if apart else " (the same: latency and throughput include the load's own work)"),
        "Python": platform.python_version(),
        "uvicorn, FastAPI, grpcio": ", ".join(map(version, ("uvicorn", "fastapi", "grpcio"))),
        "load": "wrk" if options.wrk else "our own client",
        "profile": options.profile,
        "load average before": f"{os.getloadavg()[0]:.1f}",
    }


def model() -> str:
    """The processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
