"""What caches elsewhere must drop, and what tokens are good for nothing any more."""

from dataclasses import dataclass
from enum import StrEnum

SECOND = 1_000_000
# Longer than a token lives that is made from an API key (120 s).
KEY_TOKENS = 600 * SECOND


class Kind(StrEnum):
    """What is revoked, and how `subject` names it."""

    HEARTBEAT = "HEARTBEAT"
    # A key, by its id.
    API_KEY = "API_KEY"
    # All that was issued to a user, by the user's id.
    USER = "USER"
    # A membership, by "orgId/userId"; also one that has only begun or changed.
    MEMBERSHIP = "MEMBERSHIP"
    # One token, by its jti.
    TOKEN = "TOKEN"  # noqa: S105 a word
    # What was issued to a user, by its id, other than from API keys.
    SESSIONS = "SESSIONS"
    # What was issued to an OAuth2 client, by its id.
    CLIENT = "CLIENT"
    # What came of what a user allowed a client, by the grant's id.
    GRANT = "GRANT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """One thing that is revoked, or a heartbeat with an empty subject.

    It speaks of what was issued before `at`; from `until` on all of that has
    ended by itself, and nobody needs to remember. Both in microseconds.
    """

    kind: Kind
    subject: str
    at: int
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """A revocation with its place among all that are stored; places may be filled late."""

    seq: int
    revocation: Revocation


def heartbeat(at: int) -> Revocation:
    """Says that all before it has been told."""
    return Revocation(kind=Kind.HEARTBEAT, subject="", at=at, until=at)


def of_key(key_id: str, *, at: int) -> Revocation:
    """An API key, and the tokens that were made from it."""
    return Revocation(kind=Kind.API_KEY, subject=key_id, at=at, until=at + KEY_TOKENS)


def of_user(user_id: str, *, at: int, lifetime: int) -> Revocation:
    """All that a user holds: its sessions, and the tokens made from its keys.

    `lifetime` is the longest that a token lives, in microseconds.
    """
    return Revocation(kind=Kind.USER, subject=user_id, at=at, until=at + lifetime)


def of_sessions(user_id: str, *, at: int, lifetime: int) -> Revocation:
    """A user's sessions; its API keys go on. `lifetime` as for `of_user`."""
    return Revocation(kind=Kind.SESSIONS, subject=user_id, at=at, until=at + lifetime)


def of_token(token_id: str, *, at: int, expires_at: int) -> Revocation:
    """One token, by its jti; it would have lived until `expires_at`."""
    return Revocation(kind=Kind.TOKEN, subject=token_id, at=at, until=expires_at)


def of_client(client_id: str, *, at: int, lifetime: int) -> Revocation:
    """An OAuth2 client's access tokens, whoever they stand for. `lifetime` as for `of_user`."""
    return Revocation(kind=Kind.CLIENT, subject=client_id, at=at, until=at + lifetime)


def of_grant(grant_id: str, *, at: int, ends: int) -> Revocation:
    """All access tokens of a grant, the last of which would have lived until `ends`."""
    return Revocation(kind=Kind.GRANT, subject=grant_id, at=at, until=ends)


def of_membership(subject: str, *, at: int) -> Revocation:
    """A membership that began, changed or ended; who starts to listen later has asked anew."""
    return Revocation(kind=Kind.MEMBERSHIP, subject=subject, at=at, until=at)
