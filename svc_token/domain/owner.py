"""Who owns a pool."""

from enum import StrEnum
from typing import NamedTuple

# As what a member spends of its organisation's pools; svc_auth's standings but BILLING.
SPENDERS = frozenset({"OWNER", "MEMBER"})


class OwnerKind(StrEnum):
    """A user or an organisation."""

    USER = "user"
    ORG = "org"

    __hash__ = str.__hash__


class Owner(NamedTuple):
    """The owner of pools; `str(owner)` leads the key of everything that it owns.

    A tuple, as pools' keys are: they are looked up all the time, and it has its hash from C.
    """

    kind: OwnerKind
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"

    @classmethod
    def of(cls, user_id: str, org_id: str | None) -> "Owner":
        """The organisation when one is named, else the user."""
        return cls(OwnerKind.ORG, org_id) if org_id else cls(OwnerKind.USER, user_id)

    @classmethod
    def parse(cls, text: str) -> "Owner":
        """The owner whose str() this is."""
        kind, _, owner_id = text.partition(":")
        return cls(_KINDS[kind], owner_id)


_KINDS = {kind.value: kind for kind in OwnerKind}


class PoolKey(NamedTuple):
    """A pool: one for each owner and provider."""

    owner: Owner
    provider: str
