"""What happened, in order: its hash tells whether two runs were the same."""

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from tests.simulation.loop import VirtualLoop


@dataclass(slots=True)
class Trace:
    """Lines of time, whose turn it was, and what happened; kept when `keep`."""

    loop: VirtualLoop
    keep: bool = False
    lines: list[str] = field(default_factory=list)
    _hash: Any = field(default_factory=blake2b)

    def __call__(self, *what: object) -> None:
        """Adds a line."""
        words = " ".join(map(str, what))
        line = f"{self.loop.time():10.6f} {self.loop.current.name}: {words}"
        self._hash.update(line.encode())
        if self.keep:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        """Of all lines and the number of steps taken so far."""
        self._hash.update(str(self.loop.steps).encode())
        return str(self._hash.hexdigest()[:16])
