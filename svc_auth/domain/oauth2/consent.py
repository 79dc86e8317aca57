"""What a user need not be asked for again. Times are microseconds since the epoch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What a user has allowed an application."""

    client_id: str
    client_name: str
    # In the order of the alphabet.
    scopes: tuple[str, ...]
    # When the first of them was allowed.
    created_at: int
    # When the application last got a token for the user; None when nothing is left to tell.
    last_used_at: int | None = None
