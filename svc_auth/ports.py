"""What the use cases need from outside. Each method is one atomic step.

Times are microseconds since the epoch. A store that is away raises AppError UNAVAILABLE.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from svc_auth.domain.api_key import ApiKey, KeyHolder
from svc_auth.domain.claims import Subject, Token
from svc_auth.domain.membership import Removal, Standing
from svc_auth.domain.revocation import Kind, Revocation
from svc_auth.domain.signing import KeyLife
from svc_auth.domain.user import User


class Taken(StrEnum):
    """What of a new user belongs to somebody else already."""

    USERNAME = "USERNAME"
    EMAIL = "EMAIL"


class Users(Protocol):
    """Users; names and addresses are unique in their comparable form."""

    async def add_user(self, user: User, password_hash: str) -> Taken | None:
        """Stores the user, or says what is taken (the name before the address)."""
        ...

    async def find_user(self, user_id: str) -> User | None:
        """The user."""
        ...

    async def find_login(self, username: str) -> tuple[User, str] | None:
        """The user of that name, in any case, and its password's hash."""
        ...


class ApiKeys(Protocol):
    """API keys, found by the keyed hash of their text. Revoked ones stay as rows."""

    async def add_key(self, key: ApiKey, key_hash: str) -> None:
        """Stores a key."""
        ...

    async def keys_of(self, user_id: str) -> Sequence[ApiKey]:
        """The user's keys that are not revoked, oldest first."""
        ...

    async def revoke_key(self, user_id: str, key_id: str, *, at: int) -> bool:
        """Revokes the key; False when the user has no such key, or no longer."""
        ...

    async def find_key(self, key_hash: str) -> KeyHolder | None:
        """The key, unless it is unknown or revoked; an expired one is returned."""
        ...

    async def touch_keys(self, used_at: Mapping[str, int]) -> None:
        """Notes when keys were last used; an earlier time than the one noted changes nothing."""
        ...


class Organizations(Protocol):
    """Organisations and their members."""

    async def put_member(self, org_id: str, user_id: str, *, at: int) -> bool:
        """Makes the user a member, beginning the organisation when it is unknown.

        Who is put into an organisation without an owner becomes its owner.
        False when nothing changed.
        """
        ...

    async def remove_member(self, org_id: str, user_id: str) -> Removal:
        """Ends the membership."""
        ...

    async def find_standing(self, org_id: str, user_id: str) -> Standing | None:
        """What the user is in the organisation; None for no member, or no organisation."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedKey:
    """A private signing key as it is stored: encrypted."""

    life: KeyLife
    sealed: bytes = field(repr=False)
    created_at: int


class SigningKeys(Protocol):
    """The signing keys of each algorithm, one generation after another."""

    async def signing_keys(self) -> Sequence[SealedKey]:
        """All of them, of each algorithm the older generations first."""
        ...

    async def adopt_signing_key(self, key: SealedKey) -> SealedKey:
        """Stores the key unless its generation is there; returns the one that counts."""
        ...

    async def lengthen(self, alg: str, lifetime: int) -> None:
        """Notes that keys of the algorithm sign tokens that live so long; never shortens."""
        ...

    async def remove_signing_keys(self, kids: Collection[str]) -> None:
        """Forgets keys for good."""
        ...


class KeyRotation(Protocol):
    """The keys that this process signs with."""

    def due(self, every: int) -> bool:
        """Whether the newest will soon have signed for `every` microseconds."""
        ...

    async def refresh(self) -> None:
        """Takes over what is in the store."""
        ...

    async def rotate(self) -> Sequence[KeyLife]:
        """Makes the next keys and publishes them; they sign later."""
        ...

    async def forget_retired(self) -> None:
        """Removes keys that no living token was signed with."""
        ...


class Passwords(Protocol):
    """Slow hashes of passwords, off the event loop."""

    async def hash(self, password: str) -> str:
        """A salted hash that carries its parameters."""
        ...

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether they belong together; without a hash False, after as long a time."""
        ...


class Tokens(Protocol):
    """Signed tokens."""

    def session(self, subject: Subject) -> Token:
        """A token for clients, living auth.jwt.expiry."""
        ...

    def mesh(self, subject: Subject, *, not_after: int | None) -> Token:
        """A short-lived token for the services, ending at `not_after` at the latest."""
        ...


class KeyMaker(Protocol):
    """Secrets of API keys and their hashes."""

    def new_secret(self) -> str:
        """Random text of at least 256 bits, URL-safe."""
        ...

    def hash(self, text: str) -> str:
        """The keyed hash by which a key is found."""
        ...


class KeyUse(Protocol):
    """Notes the use of keys without a write a request."""

    def used(self, key_id: str, at: int) -> None:
        """Never waits, never fails."""
        ...


class Revocations(Protocol):
    """Tells every watcher what to drop."""

    def publish(self, kind: Kind, subject: str) -> None:
        """Never waits; call it after the change is stored."""
        ...


class Watch(Protocol):
    """What one watcher is told, in order; it ends when the watcher fell behind."""

    def __aiter__(self) -> "Watch": ...

    async def __anext__(self) -> Revocation: ...

    def close(self) -> None:
        """Ends the watch; again is no fault."""
        ...


class Watching(Protocol):
    """Where watchers come to listen."""

    def watch(self) -> Watch:
        """A watch that misses nothing from here on; its first word is a heartbeat."""
        ...
