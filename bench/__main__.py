"""`python -m bench`: measures, prints Markdown, and says by its exit code whether it is sound."""

import json
import signal
import sys
from dataclasses import asdict

from bench.options import Options, parse
from bench.report import markdown
from bench.result import Result
from bench.run import run


def main() -> int:
    """0, or 1 when an answer was no 200 or tokens were lost; 130 when interrupted."""
    options = parse(sys.argv[1:])
    # Whoever ends us politely gets the same clearing up as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        result = run(options, _tell)
    except KeyboardInterrupt:
        _tell("interrupted; all processes ended")
        return 130
    print("\n".join(markdown(result)))
    _save(options, result)
    return 1 if result.failures() else 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _save(options: Options, result: Result) -> None:
    if options.json is not None:
        options.json.write_text(json.dumps(asdict(result), default=str, indent=1))


if __name__ == "__main__":
    sys.exit(main())
