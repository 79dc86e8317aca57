"""What `leaky up` shows: lines with the name of who printed them, and tables."""

import contextlib
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

# ANSI colours, one a name.
_COLOURS = (36, 33, 35, 32, 34, 31)


class Screen:
    """Prints to stdout; goes on silently when nobody reads it any more."""

    def __init__(self, names: Sequence[str]) -> None:
        self._width = max(len(name) for name in (*names, "leaky"))
        self._colours = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(names)}
        self.terminal = sys.stdout.isatty()

    def say(self, name: str, line: str) -> None:
        """A line that a child printed."""
        label = f"{name:<{self._width}} |"
        if self.terminal:
            label = f"\x1b[{self._colours.get(name, 0)}m{label}\x1b[0m"
        self._write(f"{label} {line}\n")

    def tell(self, line: str) -> None:
        """A line of our own."""
        self.say("leaky", line)

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """A table, as wide as it needs."""
        with contextlib.suppress(OSError):
            print_table(head, rows)

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stdout.write(text)
            sys.stdout.flush()


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table to stdout; outside a terminal no cell is cut or wrapped."""
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = 1000
    table = Table(*head)
    for row in rows:
        table.add_row(*row)
    console.print(table)
