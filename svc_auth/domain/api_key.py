"""API keys. Times are microseconds since the epoch."""

import re
import zlib
from dataclasses import dataclass, field
from enum import StrEnum

from svc_auth.domain.user import USER

PREFIX_SECRET = 4
# 256 bits in base64url.
SECRET_LENGTH = 43
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# What it takes to write 32 bits in base 62.
CHECKSUM_LENGTH = 6
_TEXT = re.compile(
    rf"leaky_[0-9a-f-]{{36}}_[A-Za-z0-9_-]{{{SECRET_LENGTH}}}"
    rf"(?P<checksum>[0-9A-Za-z]{{{CHECKSUM_LENGTH}}})?"
)


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
    # None: nothing has taken its place.
    retires_at: int | None = None
    # What it is limited to; empty for no limit.
    scopes: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()

    @property
    def ends_at(self) -> int | None:
        """Its expiry, or when it retires, whichever comes first; None: never."""
        ends = [at for at in (self.expires_at, self.retires_at) if at is not None]
        return min(ends, default=None)

    def expired(self, now: int) -> bool:
        """Whether the key has ended; a key ends at its expiry, not after it."""
        return self.ends_at is not None and now >= self.ends_at


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyText:
    """What is kept of a key's text: what leads to its row, and what proves it."""

    lookup: str
    key_hash: str = field(repr=False)


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


class Form(StrEnum):
    """What a text may be."""

    # With a checksum at its end.
    CHECKED = "CHECKED"
    # From before there was one; still good.
    BARE = "BARE"
    NONE = "NONE"


def key_text(user_id: str, secret: str) -> str:
    """The key itself; it ends with the checksum of all before that."""
    text = f"leaky_{user_id}_{secret}"
    return text + checksum(text)


def checksum(text: str) -> str:
    """CRC-32 in base 62: tells a slip of the pen, and what only looks like a key."""
    left, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        left, digit = divmod(left, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits


def form_of(text: str) -> Form:
    """Whether a text can be a key at all; nobody needs to be asked about what cannot."""
    found = _TEXT.fullmatch(text)
    if found is None:
        return Form.NONE
    given = found["checksum"]
    if given is None:
        return Form.BARE
    return Form.CHECKED if checksum(text[:-CHECKSUM_LENGTH]) == given else Form.NONE


def key_prefix(user_id: str, secret: str) -> str:
    """What is shown of a key later on: enough to tell it from its siblings."""
    return f"leaky_{user_id}_{secret[:PREFIX_SECRET]}"
