"""Which request an edge is answering, for what is logged before it is a call."""

from contextvars import ContextVar
from typing import Protocol


class Story(Protocol):
    """What its log lines have in common."""

    @property
    def correlation_id(self) -> str:
        """The caller's own name for it, or ours."""
        ...

    @property
    def trace_id(self) -> str:
        """The trace's."""
        ...


STORY: ContextVar[Story | None] = ContextVar("leaky_story", default=None)
