"""Windows by a derived id: an allowance renews because its id changed, no job runs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of `length_us`, counted from the Unix epoch.

    Its id is the moment it begins at, in microseconds: so windows of another
    length still come after those before, when the setting is changed.
    """

    id: int
    length_us: int

    @classmethod
    def at(cls, now_us: int, length_us: int) -> "Window":
        """The window that a moment falls into."""
        return cls(now_us - now_us % length_us, length_us)

    @property
    def end_us(self) -> int:
        """When the next one begins."""
        return self.id + self.length_us
