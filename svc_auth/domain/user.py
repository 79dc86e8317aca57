"""Users."""

from dataclasses import dataclass, field

USER = "USER"
ADMIN = "ADMIN"
ROLES = (USER, ADMIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user without its password. Times are microseconds since the epoch."""

    id: str
    username: str
    email: str
    roles: tuple[str, ...]
    created_at: int
    # Since when nothing of the user's opens anything; None while it does.
    disabled_at: int | None = None

    @property
    def disabled(self) -> bool:
        """Whether the user may not come in, by whatever credential."""
        return self.disabled_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user with what its password is compared with."""

    user: User
    password_hash: str = field(repr=False)
