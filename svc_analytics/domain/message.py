"""What a topic carries, before it is understood."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message where it lies; partition and offset name it within its topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes | None], ...] = ()

    @property
    def traceparent(self) -> str:
        """The trace that it was made in (W3C Trace Context); empty when it says of none."""
        found = (value for name, value in self.headers if name == "traceparent")
        return (next(found, None) or b"").decode("latin-1")
