"""Tokens that have not ended and are refused all the same."""

from collections.abc import Iterator

from leaky.auth.v1.credential_service_pb2 import (
    REVOCATION_KIND_API_KEY,
    REVOCATION_KIND_CLIENT,
    REVOCATION_KIND_GRANT,
    REVOCATION_KIND_SESSIONS,
    REVOCATION_KIND_TOKEN,
    REVOCATION_KIND_USER,
)
from mesh.clock import Clock
from mesh.identity.principal import Principal
from mesh.identity.remembered import Remembered
from mesh.identity.revoked import Revoked

# Of each kind.
CAPACITY = 100_000
# Clocks differ: remembered for longer than anything lives that it speaks of.
_LONGER_US = 60_000_000


class RefusedTokens:
    """What has been revoked, until all of that has ended by itself.

    Each kind is remembered by its subject and the moment before which it was
    issued. Tokens themselves are not kept: one that nobody has shown yet is
    refused as well.
    """

    def __init__(self, clock: Clock, capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._keys = Remembered(capacity)
        self._tokens = Remembered(capacity)
        self._users = Remembered(capacity)
        self._sessions = Remembered(capacity)
        self._clients = Remembered(capacity)
        self._grants = Remembered(capacity)
        self._by_kind = {
            REVOCATION_KIND_API_KEY: self._keys,
            REVOCATION_KIND_TOKEN: self._tokens,
            REVOCATION_KIND_USER: self._users,
            REVOCATION_KIND_SESSIONS: self._sessions,
            REVOCATION_KIND_CLIENT: self._clients,
            REVOCATION_KIND_GRANT: self._grants,
        }

    def add(self, revoked: Revoked) -> bool:
        """Remembers it; False for a kind that says nothing of tokens."""
        kept = self._by_kind.get(revoked.kind)
        if kept is None:
            return False
        now = self._clock.now_us()
        # What was told again, or late, does not call back a later one.
        at = max(revoked.at_us, kept.get(revoked.subject, now=now) or 0)
        kept.put(revoked.subject, at, until=max(revoked.until_us, now) + _LONGER_US, now=now)
        return True

    @property
    def floored(self) -> bool:
        """Whether older tokens are refused, whomever they are of."""
        return any(kept.floor for kept in self._by_kind.values())

    def refuses(self, principal: Principal) -> str:
        """Why the token of this principal is refused; empty when it is not."""
        return next((why for refused, why in self._reasons(principal) if refused), "")

    def _reasons(self, principal: Principal) -> Iterator[tuple[bool, str]]:
        now, issued = self._clock.now_us(), principal.issued_us
        key, user = principal.api_key_id, principal.user_id
        yield (
            bool(key) and self._keys.get(key, now=now) is not None,
            "made from a revoked API key",
        )
        yield self._tokens.get(principal.token_id, now=now) is not None, "revoked"
        yield (
            self._grants.get(principal.grant_id, now=now) is not None,
            "of a grant that was revoked",
        )
        yield (
            issued < (self._clients.get(principal.client_id, now=now) or 0),
            "issued before its client was stopped",
        )
        yield (
            issued < (self._users.get(user, now=now) or 0),
            "issued before its user was stopped",
        )
        yield (
            not key and issued < (self._sessions.get(user, now=now) or 0),
            "of a session that was ended",
        )
        yield issued < max(self._floor(principal)), "older than all that is remembered"

    def _floor(self, principal: Principal) -> list[int]:
        # Only of what could speak of it.
        floors = [self._tokens.floor, self._users.floor]
        floors.append(self._keys.floor if principal.api_key_id else self._sessions.floor)
        if principal.client_id:
            floors += [self._clients.floor, self._grants.floor]
        return floors
