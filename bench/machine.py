"""What the figures were taken on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

from bench.options import Options


def describe(options: Options) -> dict[str, str]:
    """By name."""
    cores = len(os.sched_getaffinity(0))
    apart = not set(options.server_cores) & set(options.load_cores)
    return {
        "CPU": f"{model()}, {cores} cores",
        "cores": f"servers on {_text(options.server_cores)}, load on {_text(options.load_cores)}"
        + ("" if apart else " (shared: latency and throughput include the load's own work)"),
        "Python": platform.python_version(),
        "uvicorn, FastAPI, grpcio": ", ".join(map(version, ("uvicorn", "fastapi", "grpcio"))),
        "load": "wrk" if options.wrk else "our own client",
        "profile": options.profile,
        "calls between services": " and, in turn, ".join(options.ways),
        "gateways": str(options.workers),
        **{f"set {name}": value for name, value in options.settings.items()},
        "load average before": f"{os.getloadavg()[0]:.1f}",
    }


def _text(cores: tuple[int, ...]) -> str:
    return " and ".join(map(str, cores))


def model() -> str:
    """The processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
