"""A browser that somebody has logged in with. Times are microseconds since the epoch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSession:
    """Whom a cookie stands for, and since when; `id` is the cookie's hash."""

    id: str
    user_id: str
    auth_time: int
    expires_at: int
