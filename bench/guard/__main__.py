"""`python -m bench.guard`: measures, and compares with what was recorded or records it."""

import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from bench.guard.options import Asked, circumstances, parse
from bench.guard.ratios import CPU, FIGURES, INSTRUCTIONS, counted, enough, of_bare
from bench.guard.recorded import Recorded, read, write
from bench.guard.verdict import ALLOWED, NothingRecordedError, Verdict, compared, unsteady
from bench.machine import model
from bench.options import Options
from bench.rounds import Rounds
from bench.run import run
from bench.tables import table

_LOST, _NOTHING, _INTERRUPTED = 1, 2, 130
_WHY = {
    INSTRUCTIONS: "",
    CPU: " (not instructions, which are not counted on this machine or were not recorded)",
}


def main(given: Sequence[str]) -> int:
    """0; 1 when a row costs too much or the run is worth nothing, 2 without anything recorded."""
    asked = parse(given)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        result = run(asked.options, _tell, lambda rounds: enough(rounds, asked.options))
    except KeyboardInterrupt:
        return _INTERRUPTED
    failures = result.failures()
    for failure in failures:
        _tell(failure)
    return _LOST if failures else concluded(asked, list(map(list, result.figures.rounds)))


def concluded(asked: Asked, rounds: Rounds) -> int:
    """Records what was measured, or prints how it compares; the exit code."""
    try:
        if asked.record:
            return _record(rounds, asked)
        return _judged(rounds, asked.options, read(asked.file))
    except NothingRecordedError as error:
        _tell(f"{error}; make bench-guard ARGS=--record writes what is measured")
        return _NOTHING


def _record(rounds: Rounds, asked: Asked) -> int:
    write(asked.file, dict(_recorded(rounds, asked.options)))
    _tell(f"recorded in {asked.file}")
    return 0


def _judged(rounds: Rounds, options: Options, recorded: Mapping[str, Recorded]) -> int:
    name = next((one for one in counted(options) if one in recorded), None)
    if name is None:
        raise NothingRecordedError("nothing recorded")
    measured = of_bare(rounds, options, FIGURES[name])
    verdicts = compared(recorded[name], measured, circumstances(options))
    print("\n".join(_markdown(name, len(rounds), recorded[name].machine, verdicts)))
    return _LOST if any(verdict.lost for verdict in verdicts) else 0


def _markdown(name: str, rounds: int, machine: str, verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield (
        f"{name} a call of all processes{_WHY[name]}, as a multiple of bare uvicorn's in the"
        f" same round: min / median / max of {rounds} rounds; recorded on {machine},"
        f" this is {model()}"
    )
    rows = [
        (
            *(each.row, f"{each.recorded:.2f}", each.measured.text(2)),
            *(f"{unsteady(each.rounds):.1%}", _said(each)),
        )
        for each in verdicts
    ]
    head = ("row", "recorded", "measured", "may be off by", f"{ALLOWED:.0%} more is lost")
    yield from table("Cost of a call", head, rows)


def _said(verdict: Verdict) -> str:
    return f"{'**lost**' if verdict.lost else 'kept'}, {verdict.change:+.1%}"


def _recorded(rounds: Rounds, options: Options) -> Iterator[tuple[str, Recorded]]:
    for name in counted(options):
        medians = {
            row: round(median(ratios), 3)
            for row, ratios in of_bare(rounds, options, FIGURES[name]).items()
        }
        if not all(one > 0 for one in medians.values()):
            raise NothingRecordedError(f"a row or bare uvicorn cost nothing: {medians}")
        how = circumstances(options)
        yield name, Recorded(ratios=medians, circumstances=how, machine=model())


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
