"""What the use cases need from outside. Each method is one atomic step.

A `record` is written in the step's own transaction, and only if that changes something.
Times are microseconds since the epoch. A store that is away raises AppError UNAVAILABLE.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from svc_auth.domain.api_key import ApiKey, KeyHolder, KeyText
from svc_auth.domain.audit import AuditEntry, AuditLine, AuditQuery
from svc_auth.domain.caller import Caller
from svc_auth.domain.claims import Subject, Token
from svc_auth.domain.record import Record
from svc_auth.domain.revocation import Numbered, Revocation
from svc_auth.domain.signing import KeyLife
from svc_auth.domain.user import Account, User


class Taken(StrEnum):
    """What of a new user belongs to somebody else already."""

    USERNAME = "USERNAME"
    EMAIL = "EMAIL"


class Change(StrEnum):
    """What became of changing a user."""

    DONE = "DONE"
    UNCHANGED = "UNCHANGED"
    NO_USER = "NO_USER"


class Users(Protocol):
    """Users; names and addresses are unique in their comparable form."""

    async def add_user(self, user: User, password_hash: str, record: Record) -> Taken | None:
        """Stores the user, or says what is taken (the name before the address)."""
        ...

    async def find_user(self, user_id: str) -> User | None:
        """The user."""
        ...

    async def find_login(self, username: str) -> Account | None:
        """The user of that name, in any case."""
        ...

    async def find_account(self, user_id: str) -> Account | None:
        """The user, by its id."""
        ...

    async def list_users(self, *, after: str, limit: int) -> Sequence[User]:
        """Users in the order of their ids, the first one after that id."""
        ...

    async def disable_user(self, user_id: str, *, at: int, record: Record) -> Change:
        """From now on nothing of the user's opens anything."""
        ...

    async def enable_user(self, user_id: str, *, record: Record) -> Change:
        """The user may log in again, and its keys count again."""
        ...

    async def grant_role(self, user_id: str, role: str, *, record: Record) -> Change:
        """Gives the user the role."""
        ...

    async def revoke_role(self, user_id: str, role: str, *, record: Record) -> Change:
        """Takes the role from the user."""
        ...

    async def set_password(
        self, user_id: str, password_hash: str, *, replacing: str | None, record: Record
    ) -> Change:
        """Replaces the password's hash, if it still is `replacing`; None is whatever it is."""
        ...

    async def find_email(self, email: str) -> User | None:
        """The user with that address, in any case."""
        ...


class Replacement(StrEnum):
    """What became of putting a key in another's place."""

    DONE = "DONE"
    NO_KEY = "NO_KEY"
    # The other's place had been taken already, and there is no further one.
    LIMIT = "LIMIT"


class ApiKeys(Protocol):
    """API keys, found by what their text leads to. Revoked ones stay as rows."""

    async def add_key(self, key: ApiKey, kept: KeyText, *, most: int, record: Record) -> bool:
        """Stores a key; False when its user has `most` that neither have ended nor retire."""
        ...

    async def replace_key(
        self, key_id: str, key: ApiKey, kept: KeyText, *, retires: int, most: int, record: Record
    ) -> Replacement:
        """Stores a key in the place of one of its user's, which retires then, or before.

        One that retires now or earlier counts as revoked.
        """
        ...

    async def find_own_key(self, user_id: str, key_id: str) -> ApiKey | None:
        """The user's key, unless it is revoked."""
        ...

    async def keys_of(self, user_id: str) -> Sequence[ApiKey]:
        """The user's keys that are not revoked, oldest first."""
        ...

    async def revoke_key(self, user_id: str, key_id: str, *, at: int, record: Record) -> bool:
        """Revokes the key; False when the user has no such key, or no longer."""
        ...

    async def find_keys(self, lookups: Collection[str]) -> Sequence[tuple[KeyHolder, KeyText]]:
        """The keys that these lead to, unless they are revoked; expired ones are returned."""
        ...

    async def keep_anew(self, key_id: str, kept: KeyText) -> None:
        """Changes what is kept of a key, for one that is stored under an older pepper."""
        ...

    async def touch_keys(self, used_at: Mapping[str, int]) -> None:
        """Notes when keys were last used; an earlier time than the one noted changes nothing."""
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

    async def adopt_signing_key(self, key: SealedKey, record: Record) -> SealedKey:
        """Stores the key unless its generation is there; returns the one that counts."""
        ...

    async def lengthen(self, alg: str, lifetime: int) -> None:
        """Notes that keys of the algorithm sign tokens that live so long; never shortens."""
        ...

    async def longest_lifetime(self) -> int:
        """The longest that a token lives that any of the keys has signed, in microseconds."""
        ...

    async def remove_signing_keys(self, kids: Collection[str]) -> None:
        """Forgets keys for good."""
        ...


class KeyRotation(Protocol):
    """The keys that this process signs with."""

    @property
    def lives(self) -> Sequence[KeyLife]:
        """What is known of each key, as it was last looked at."""
        ...

    def due(self, every: int) -> bool:
        """Whether the newest will soon have signed for `every` microseconds."""
        ...

    async def refresh(self) -> None:
        """Takes over what is in the store, and notes there how long our tokens live."""
        ...

    async def rotate(self, caller: Caller) -> Sequence[KeyLife]:
        """Makes the next keys and publishes them; they sign later."""
        ...

    async def forget_retired(self) -> None:
        """Removes keys that no living token was signed with."""
        ...


class Passwords(Protocol):
    """Slow hashes of passwords, off the event loop."""

    async def hash(self, password: str, *, asker: str) -> str:
        """A salted hash that carries its parameters.

        Few are made at a time, in turns that are fair between askers; AppError
        OVERLOADED when too many wait.
        """
        ...

    async def verify(self, password_hash: str | None, password: str, *, asker: str) -> bool:
        """Whether they belong together; without a hash False, after as long a time.

        In turns as `hash`.
        """
        ...


class Tokens(Protocol):
    """Signed tokens.

    A revocation ends what was issued before it. So `at`, when a token counts as
    issued, is a moment before its holder was looked up: a holder who is stopped
    between the look and the signature does not get away with it.
    """

    def session(self, subject: Subject, *, at: int) -> Token:
        """A token for clients, living auth.jwt.expiry."""
        ...

    def mesh(self, subject: Subject, *, at: int, not_after: int | None) -> Token:
        """A short-lived token for the services, ending at `not_after` at the latest."""
        ...


class KeyMaker(Protocol):
    """Secrets of API keys, and what is kept of them."""

    def new_secret(self) -> str:
        """Random text of at least 256 bits, URL-safe."""
        ...

    def kept(self, text: str) -> KeyText:
        """What is kept of a key that is stored now."""
        ...

    def candidates(self, text: str) -> Sequence[KeyText]:
        """What may be kept of the text, the way it would be today first; none for no key."""
        ...

    def proves(self, kept: KeyText, given: KeyText) -> bool:
        """Whether both are of one text, in constant time."""
        ...


class Opaque(Protocol):
    """Random texts that mean something to us alone, and are stored as hashes."""

    def new_secret(self) -> str:
        """Random text of at least 256 bits, URL-safe."""
        ...

    def hash(self, text: str) -> str:
        """The hash by which it is found."""
        ...


class Proofs(Protocol):
    """What shows that we have made a text, and for which holder; nobody else can make it."""

    def prove(self, text: str, *, holder: str) -> str:
        """The proof, hexadecimal."""
        ...

    def proves(self, proof: str, text: str, *, holder: str) -> bool:
        """Whether it is the proof of the text and the holder; in constant time."""
        ...


class KeyUse(Protocol):
    """Notes the use of keys without a write a request."""

    def used(self, key_id: str, at: int) -> None:
        """Never waits, never fails."""
        ...


class Audit(Protocol):
    """The audit log; what changes something writes its line by itself, in a `record`."""

    async def note(self, entry: AuditEntry) -> None:
        """Writes down what changed nothing else, such as a refusal."""
        ...

    async def lines(
        self, query: AuditQuery, *, before: int | None, limit: int
    ) -> Sequence[AuditLine]:
        """The newest lines before that place, newest first; None begins with the newest."""
        ...


class RevocationLog(Protocol):
    """What has been revoked, by every instance; written in a `record`."""

    async def newest(self) -> int:
        """The highest place so far; 0 for none."""
        ...

    async def after(self, seq: int, *, also: Collection[int], limit: int) -> Sequence[Numbered]:
        """The first of those beyond a place and at those places, in order."""
        ...

    async def standing(self, now: int, *, after: int, limit: int) -> Sequence[Numbered]:
        """Those beyond a place that somebody must still remember, in order."""
        ...

    async def forget(self, *, ended_before: int) -> int:
        """Deletes those that ended before then; how many."""
        ...

    async def revoke(self, record: Record) -> None:
        """Stores a record by itself, for what is kept nowhere else, such as a token's end."""
        ...

    async def repeat(self, revocation: Revocation) -> None:
        """Stores a later revocation of what a record has revoked already."""
        ...


class Revocations(Protocol):
    """Tells every watcher what has been revoked."""

    def announce(self) -> None:
        """Says that something was stored; never waits.

        Who hangs up before it is called has only made it slower: it is found anyway.
        """
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

    async def started(self) -> None:
        """Returns once it is certain where the news begin."""
        ...

    def watch(self) -> Watch:
        """A watch that misses nothing that is stored from here on."""
        ...
