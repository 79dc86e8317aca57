"""A run as Markdown or JSON: on what, with what, and what it came to."""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from bench.locust.figures import Call, Figures
from bench.locust.options import Options
from bench.machine import model
from bench.processes import ROOT
from bench.tables import table

_PACKAGES = ("locust", "uvicorn", "fastapi", "grpcio")
_HEAD = ("answers", "/s", "failures", "p50 ms", "p95 ms", "p99 ms", "max ms", "mean ms")


def circumstances(options: Options) -> dict[str, str]:
    """On what it runs and what was chosen, by name; no credential is in it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return {
        "commit": _commit(),
        "machine": f"{model()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, load average"
        f" {os.getloadavg()[0]:.1f} before; Locust on the same machine as what it loads"
        f"{'' if options.up else ', if that is on loopback'}",
        "versions": f"Python {platform.python_version()}, {versions}",
        "target": "a leaky up of its own, embedded stores, default limits, patient deadlines"
        if options.up
        else options.base_url,
        "users": f"{options.users}, {options.ramp:g} more a second, for {options.duration},"
        f" with {options.credentials.kind}",
        "asked for": f"provider {options.provider}, {options.tokens} tokens, limit {options.limit},"
        f" {f'{options.rate:g} tasks' if options.rate else 'tasks as the scenario says'} a second"
        f" and user, {options.batch} events a publish",
    }


def _commit() -> str:
    def git(*words: str) -> str:
        command = ("git", *words)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 git
        return done.stdout.strip()

    changed = " with changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    return (git("rev-parse", "--short", "HEAD") or "unknown") + changed


def write(file: Path, about: Mapping[str, str], runs: Iterable[Figures]) -> None:
    """As the file's name ends: .json, or Markdown."""
    if file.suffix == ".json":
        told = {"about": dict(about), "scenarios": [asdict(one) for one in runs]}
        file.write_text(json.dumps(told, indent=2) + "\n")
    else:
        file.write_text("\n".join(markdown(about, runs)) + "\n")


def markdown(about: Mapping[str, str], runs: Iterable[Figures]) -> Iterator[str]:
    """The lines."""
    yield "# Load"
    yield ""
    yield from (f"- {name}: {text}" for name, text in about.items())
    for figures in runs:
        title = f"{figures.scenario}, {figures.seconds:.0f} s"
        yield from table(title, ("", *_HEAD), _rows(figures))
        if figures.wrong:
            yield from ("", *(f"- **failed**: {what}" for what in figures.wrong))


def _rows(figures: Figures) -> Iterator[tuple[str, ...]]:
    for call in figures.calls:
        yield (
            *(call.call, str(call.requests), f"{figures.rate(call):.1f}", str(call.failures)),
            *_times(call),
        )


def _times(call: Call) -> tuple[str, ...]:
    return tuple(f"{each:.0f}" for each in (call.p50, call.p95, call.p99, call.max, call.mean))
