"""Load from wrk, where it is installed."""

import re
import subprocess
import tempfile
from pathlib import Path

from bench.lua import lua
from bench.plan import Load, Plan

_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3}
_SECONDS = {unit: value / 1e3 for unit, value in _MS.items()}


def drive(plan: Plan, wrk: str) -> Load:
    """Runs the plan with the wrk at that path, which this process's core limits."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(lua(plan.requests))
        script.flush()
        return parse(_output(plan, wrk, Path(script.name)))


def _output(plan: Plan, wrk: str, script: Path) -> str:
    command = (
        *(wrk, "--latency", "--threads", "1", "--connections", str(plan.connections)),
        *("--duration", f"{plan.seconds}s", "--timeout", "10s", "--script", str(script)),
        f"http://127.0.0.1:{plan.port}",
    )
    ended = subprocess.run(  # noqa: S603 our own arguments
        command, capture_output=True, text=True, check=True, timeout=plan.seconds + 30
    )
    return ended.stdout


def parse(output: str) -> Load:
    """The figures of `wrk --latency`. Raises ValueError when there are none."""
    total = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m),", output)
    p50, p99 = (_latency(percent, output) for percent in (50, 99))
    if not (total and p50 and p99):
        raise ValueError(f"not what wrk prints: {output!r}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    broken = re.search(r"Socket errors: (.*)", output)
    return Load(
        answered=int(total[1]),
        refused=int(refused[1]) if refused else 0,
        broken=sum(map(int, re.findall(r"\d+", broken[1]))) if broken else 0,
        seconds=float(total[2]) * _SECONDS[total[3]],
        p50_ms=float(p50[1]) * _MS[p50[2]],
        p99_ms=float(p99[1]) * _MS[p99[2]],
    )


def _latency(percent: int, output: str) -> re.Match[str] | None:
    return re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m) *$", output, re.MULTILINE)
