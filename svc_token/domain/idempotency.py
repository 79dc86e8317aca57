"""Answers that are kept under the key that a client sent with its request.

After the IETF's draft-ietf-httpapi-idempotency-key-header-07.
"""

from dataclasses import dataclass
from enum import StrEnum


class Operation(StrEnum):
    """What a key may be sent with; the same key may be used for each."""

    CONSUME = "consume"
    CREATE_ORG_QUOTA = "create-org-quota"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key is its sender's own (`scope`) and means one operation."""

    scope: str
    operation: Operation
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The first answer of a successful request, as it went out."""

    key: Key
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What stands under a key.

    `id` names the effect, and stays when somebody takes over what another left:
    `mine` says that the asker may bring it about now, until `lease_until_us`.
    Otherwise `answer` is what came of it; None while somebody else is at it.
    """

    id: str
    fingerprint: bytes
    mine: bool
    lease_until_us: int
    answer: bytes | None = None
