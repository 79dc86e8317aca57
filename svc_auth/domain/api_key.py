"""API keys. Times are microseconds since the epoch."""

from dataclasses import dataclass

from svc_auth.domain.user import USER

PREFIX_SECRET = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as its owner may see it after the first time: never its text."""

    id: str
    user_id: str
    name: str
    prefix: str
    created_at: int
    # None: never.
    expires_at: int | None = None
    # None: not yet.
    last_used_at: int | None = None

    def expired(self, now: int) -> bool:
        """Whether the key has ended; a key ends at its expiry, not after it."""
        return self.expires_at is not None and now >= self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder:
    """A key that is not revoked, and whose it is; `user_roles` are empty for an unknown user."""

    key: ApiKey
    username: str = ""
    user_roles: tuple[str, ...] = ()
    # Whether the key's user may not come in.
    disabled: bool = False

    @property
    def known(self) -> bool:
        """Whether the key's user has ever been registered."""
        return bool(self.user_roles)

    @property
    def roles(self) -> tuple[str, ...]:
        """The user's roles; somebody unknown (`local` allows that) counts as a USER."""
        return self.user_roles or (USER,)


def key_text(user_id: str, secret: str) -> str:
    """The key itself."""
    return f"leaky_{user_id}_{secret}"


def key_prefix(user_id: str, secret: str) -> str:
    """What is shown of a key later on: enough to tell it from its siblings."""
    return key_text(user_id, secret[:PREFIX_SECRET])
