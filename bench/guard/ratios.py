"""Costs as multiples of bare uvicorn's, which tells a slower program from a slower machine."""

from collections.abc import Mapping

from bench.figures import Figure, Figures, cpu, instructions
from bench.guard.verdict import ALLOWED, unsteady
from bench.options import Options
from bench.rounds import Rounds
from bench.rows import chosen

INSTRUCTIONS, CPU = "instructions", "CPU time"
# The better one first.
FIGURES: Mapping[str, Figure] = {INSTRUCTIONS: instructions, CPU: cpu}
MOST_ROUNDS = 15
# A quarter of what is allowed: a sound program is then hardly ever taken for a slow one.
_STEADY = ALLOWED / 4


def counted(options: Options) -> list[str]:
    """What of the figures this machine has."""
    return [name for name in FIGURES if name != INSTRUCTIONS or options.instructions]


def of_bare(rounds: Rounds, options: Options, figure: Figure) -> dict[str, list[float]]:
    """Each row's cost in each round."""
    figures = Figures(rounds)
    return {
        f"{row.name} at {many}": figures.ratios(row.name, row.yardsticks[0], many, figure)
        for many in options.connections
        for row in chosen(options.cases)
        if figures.has(row.name, many)
    }


def enough(rounds: Rounds, options: Options) -> bool:
    """Whether the rounds agree, or there have been so many that more would hardly help."""
    if len(rounds) < options.rounds:
        return False
    if len(rounds) >= max(MOST_ROUNDS, options.rounds):
        return True
    # Whichever is compared in the end.
    figures = [of_bare(rounds, options, FIGURES[name]) for name in counted(options)]
    return all(unsteady(each) <= _STEADY for ratios in figures for each in ratios.values())
