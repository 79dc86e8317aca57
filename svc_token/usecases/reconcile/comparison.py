"""What every comparison is: told what it compared, and what of it differs."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from svc_token.domain.audit.difference import Difference

T = TypeVar("T")
K = TypeVar("K")
PAGE = 500
# Work of the last seconds may be under way still: it is compared the next time.
GRACE_US = 5_000_000


@dataclass(slots=True, kw_only=True)
class Compared:
    """How much was looked at."""

    pools: int = 0
    lines: int = 0
    reservations: int = 0
    purchases: int = 0
    members: int = 0
    events: int = 0
    payments: int = 0


class Comparison(Protocol):
    """One kind of record against another; `what` names both."""

    @property
    def what(self) -> str:
        """Such as "events with analytics"."""
        ...

    def __call__(self, compared: Compared, /) -> AsyncIterator[Difference]:
        """The differences, as they are found; counts what it looks at.

        Raises AppError when a part is away.
        """
        ...


async def pages(
    read: Callable[[K | None, int], Awaitable[Sequence[T]]],
    key: Callable[[T], K],
    *,
    limit: int = PAGE,
) -> AsyncIterator[Sequence[T]]:
    """Page after page until an empty one."""
    page = await read(None, limit)
    while page:
        yield page
        page = await read(key(page[-1]), limit)
