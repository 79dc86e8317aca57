"""The spans of the work that is being done; none for what is not followed."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Self

from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from mesh.errors import AppError
from mesh.telemetry.tracing.context import TraceContext
from mesh.telemetry.tracing.tracer import TRACING, Attributes, context_of

# Work that is done for several calls at once has a span in the trace of each.
FOLLOWED: ContextVar[tuple[Span, ...]] = ContextVar("leaky_followed", default=())


class Unfollowed:
    """A step that nobody follows: there is one, and it does nothing."""

    def __enter__(self) -> Self:
        """Nothing begins."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Nothing ends."""

    def tell(self, name: str, value: str | int) -> None:
        """Nobody hears it."""


UNFOLLOWED = Unfollowed()


class Steps:
    """A step's spans, which are the parents of what is done in the block."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self.spans = tuple(spans)
        self._token: Token[tuple[Span, ...]] | None = None

    def __enter__(self) -> Self:
        """What follows is within."""
        self._token = FOLLOWED.set(self.spans)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Ends it."""
        if self._token is not None:
            # A generator that was left may be closed elsewhere, where there is nothing to reset.
            with suppress(ValueError):
                FOLLOWED.reset(self._token)
        if error is not None:
            self.failed(error)
        for span in self.spans:
            span.end()

    def tell(self, name: str, value: str | int) -> None:
        """Sets an attribute."""
        for span in self.spans:
            span.set_attribute(name, value)

    def rename(self, name: str) -> None:
        """Gives it the name that is known only now."""
        for span in self.spans:
            span.update_name(name)

    def failed(self, error: BaseException) -> None:
        """The block ended with an error; of it no more is told than its name."""
        self.fail(error_name(error))

    def fail(self, name: str) -> None:
        """Says that it failed, and of what."""
        for span in self.spans:
            span.set_attribute("error.type", name)
            span.set_status(Status(StatusCode.ERROR, name))


def spanning(name: str, kind: SpanKind, attributes: Attributes) -> Steps | Unfollowed:
    """A step within what is being done; its attributes are made once, not at each call."""
    parents = FOLLOWED.get()
    # What outlives its call may go on when the process no longer traces.
    if not parents or not TRACING.on:
        return UNFOLLOWED
    return Steps([TRACING.begin(name, kind, attributes, within=one) for one in parents])


def error_name(error: BaseException) -> str:
    """What a trace says of an error: its reason, or its type; texts may quote what is secret."""
    if isinstance(error, AppError):
        return error.outcome.name
    return "cancelled" if isinstance(error, asyncio.CancelledError) else type(error).__name__


def handed_on() -> TraceContext | None:
    """What goes with a message that is sent now; None when nobody follows."""
    followed = FOLLOWED.get()
    return context_of(followed[0]) if followed else None


def carried() -> str:
    """The traceparent that an event takes along; empty when nobody follows."""
    context = handed_on()
    return context.traceparent if context else ""
