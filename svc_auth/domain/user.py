"""Users."""

from dataclasses import dataclass

USER = "USER"
ADMIN = "ADMIN"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user without its password. Times are microseconds since the epoch."""

    id: str
    username: str
    email: str
    roles: tuple[str, ...]
    created_at: int
