"""`python -m bench.locust SCENARIO...`: load as many users make it."""

import sys
from collections.abc import Sequence

from bench.locust.account import NoAccountError
from bench.locust.figures import Figures
from bench.locust.options import parse
from bench.locust.report import circumstances, markdown, write
from bench.locust.run import run


def main(arguments: Sequence[str]) -> int:
    """0 when nothing failed but what is documented to be refused."""
    options = parse(arguments)
    about = circumstances(options)
    runs: list[Figures] = []
    try:
        for figures in run(options):
            runs.append(figures)
            print(f"{figures.scenario}: {len(figures.wrong)} kinds of failure", file=sys.stderr)
    except (NoAccountError, ValueError, RuntimeError) as error:
        print(f"bench.locust: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    print("\n".join(markdown(about, runs)))
    if options.report:
        write(options.report, about, runs)
    return 1 if any(figures.wrong for figures in runs) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
