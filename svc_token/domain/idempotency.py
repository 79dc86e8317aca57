"""Answers that are kept under the key that a client sent with its request.

After the IETF's draft-ietf-httpapi-idempotency-key-header-07.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

# Whose key it is where nobody has proved who it is.
ANYBODY = "anonymous"


class Operation(StrEnum):
    """What a key may be sent with; the same key may be used for each."""

    CONSUME = "consume"
    CREATE_ORG_QUOTA = "create-org-quota"


class ClaimLostError(Exception):
    """What an effect was claimed for has been answered, let go or begun anew since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key is its sender's own (`scope`) and means one operation."""

    scope: str
    operation: Operation
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The first answer of a successful request, as it went out.

    `id` is the claim's: an effect that is not the key's own any more is ClaimLostError.
    """

    key: Key
    id: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What stands under a key.

    `id` names the effect, and stays when somebody takes over what another left:
    `mine` says that the asker may bring it about now, until `lease_until_us`,
    which also tells one holder from the next. Otherwise `answer` is what came
    of it; None while somebody else is at it.
    """

    key: Key
    id: str
    fingerprint: bytes
    mine: bool
    lease_until_us: int
    answer: bytes | None = None


def fingerprint_of(**meaning: str | int | None) -> bytes:
    """The same for requests that mean the same, however they were written."""
    canonical = json.dumps(meaning, sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode()).digest()
