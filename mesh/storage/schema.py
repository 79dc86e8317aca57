"""A store's schema, its revisions, and what is wrong with data of another one."""

from typing import Protocol


class WrongDataError(RuntimeError):
    """The data is not of the revision that this version of the service works on."""


class NewerDataError(WrongDataError):
    """The data was written by a newer version of the service."""


class OlderDataError(WrongDataError):
    """The data is to be brought up to date first, which is not the service's own business."""


class Schema(Protocol):
    """The schema of one service's store, for `leaky migrate`."""

    @property
    def newest(self) -> str:
        """The revision that this version of the service works on."""
        ...

    async def current(self) -> str | None:
        """The revision that the store is at; None where there is nothing yet.

        Writes nothing. Raises AppError when the store is away.
        """
        ...

    async def upgrade(self) -> None:
        """Brings the store to the newest revision; any number of these may run at once.

        Raises NewerDataError when its revision is unknown here.
        """
        ...
