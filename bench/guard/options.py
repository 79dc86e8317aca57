"""What the command line may choose: all that bench may, and the file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.arguments import arguments
from bench.instructions import countable
from bench.options import Options, options

FILE = Path(__file__).parents[1] / "recorded.json"
_CASES, _CONNECTIONS = ("status", "quota", "reserve", "consume"), (16, 64)
_ROUNDS, _CALLERS = 5, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is measured; whether that is recorded in the file, or compared with it."""

    options: Options
    record: bool
    file: Path


def parse(given: Sequence[str]) -> Asked:
    """The choices; ends the process on --help and on what is no choice."""
    parser = arguments("bench.guard", "Compares the cost of a call with what was recorded.")
    parser.add_argument("--record", action="store_true", help="write the file instead")
    parser.add_argument("--recorded", type=Path, default=FILE, metavar="FILE")
    parser.set_defaults(cases=_CASES, connections=_CONNECTIONS)
    parser.set_defaults(rounds=_ROUNDS, seconds=1, callers=_CALLERS)
    found = parser.parse_args(given)
    if found.both:
        parser.error("one way of calling at a time")
    # Only bare uvicorn is compared with.
    measured = replace(options(parser, found), starts=1, echo=False, instructions=countable())
    return Asked(options=measured, record=found.record, file=found.recorded)


def circumstances(chosen: Options) -> dict[str, str]:
    """What must be the same for two runs to be compared."""
    return {
        "load": "wrk" if chosen.wrk else "own",
        "profile": chosen.profile,
        "calls": chosen.ways[0],
        "cores": str(len(chosen.server_cores)),
        "gateways": str(chosen.workers),
        "callers": str(chosen.callers),
        "settings": ", ".join(f"{name}={value}" for name, value in sorted(chosen.settings.items())),
    }
